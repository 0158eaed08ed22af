"""Intervals, exact tests, verdicts and power against scipy and against hand-made cases."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from msaf_bench.stats import (
    Interval,
    holm,
    judge,
    mean_interval,
    paired_difference,
    paired_power,
    power_sentence,
    seeds_needed,
    sign_flip_p,
)


def test_interval_is_student_t():
    values = [70.1, 71.3, 69.8, 70.9, 72.0]
    found = mean_interval(values, 0.9)
    low, high = reference.t.interval(0.9, 4, np.mean(values), reference.sem(values))
    assert (found.mean, found.low, found.high, found.n) == (pytest.approx(np.mean(values)), pytest.approx(low), pytest.approx(high), 5)
    assert found.sd == pytest.approx(np.std(values, ddof=1))


def test_one_value_has_no_interval():
    assert mean_interval([70.0]) == Interval(70.0, None, None, None, 1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_interval_refuses_what_is_not_a_number(values: list[float]):
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_sign_flip_is_scipys_exact_permutation_test(n: int):
    d = np.random.default_rng(n).normal(0.4, 1, n)
    if n == 1:
        assert sign_flip_p([0.3]) == 1
        return
    expected = reference.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=10_000)
    assert sign_flip_p(list(d)) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("n", "least"), [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125), (9, 2 / 512)])
def test_smallest_p_that_n_seeds_can_reach(n: int, least: float):
    assert sign_flip_p([0.1] * n) == least  # equal differences: every tie must count in spite of rounding


def test_sign_flip_beyond_enumeration():
    d = np.random.default_rng(0).normal(0.35, 1, 24)
    assert sign_flip_p(list(d)) == pytest.approx(reference.ttest_1samp(d, 0).pvalue, abs=0.02)
    assert sign_flip_p([1.0] * 24) > 0


def test_difference_is_paired_by_seed():
    found = paired_difference({0: 3.0, 1: 5.0, 2: 9.0, 7: 1.0}, {2: 6.0, 1: 4.0, 0: 1.0, 8: 0.0})
    assert found is not None
    assert found.interval == mean_interval([2.0, 1.0, 3.0])
    assert found.p == 0.25
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [(0.1, 2.0, "reproduced"), (-2.0, -0.1, "contradicted"), (-0.1, 0.1, "undecided"), (0.0, 1.0, "undecided"), (None, None, "undecided")],
)
def test_judge(low: float | None, high: float | None, decision: str):
    assert judge(Interval(0.5, low, high, 0.1, 5)) == decision


def test_judge_of_nothing():
    assert judge(None) == "undecided"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=6))
@settings(max_examples=100, deadline=None)
def test_holm_is_the_closed_test_of_bonferroni(ps: list[float]):
    """A hypothesis falls if every set that holds it falls to Bonferroni: the definition that Holm's steps abbreviate."""
    sets = [s for size in range(1, len(ps) + 1) for s in combinations(range(len(ps)), size)]
    slow = [max(min(1.0, len(s) * min(ps[i] for i in s)) for s in sets if j in s) for j in range(len(ps))]
    assert holm(ps) == pytest.approx(slow)


def test_nine_seeds_are_the_fewest_for_eight_comparisons():
    assert [min(holm([sign_flip_p([1.0] * n)] * 8)) <= 0.05 for n in (8, 9)] == [False, True]


def test_power_against_simulation():
    rng = np.random.default_rng(1)
    d = rng.normal(0.6, 0.5, (20_000, 5))
    seen = reference.ttest_1samp(d, 0, axis=1).pvalue < 0.05
    assert paired_power(0.6, 0.5, 5) == pytest.approx(seen.mean(), abs=0.01)


def test_power_at_the_ends():
    assert paired_power(0.6, 0.5, 1) == 0
    assert paired_power(0, 0.5, 5) == pytest.approx(0.05)
    assert paired_power(6.0, 0.5, 5) == pytest.approx(1)
    assert paired_power(5.9, 1.15, 5) == pytest.approx(1)
    assert (paired_power(1, 0, 5), paired_power(0, 0, 5)) == (1, 0)
    n = seeds_needed(0.6, 0.5)
    assert n is not None
    assert paired_power(0.6, 0.5, n - 1) < 0.8 <= paired_power(0.6, 0.5, n)
    assert seeds_needed(0.001, 1) is None


def test_power_in_words():
    assert power_sentence(0.6, 0.5, 5) == (
        "With differences that spread by 0.5 points, 5 seeds see an effect of 0.6 points "
        f"{100 * paired_power(0.6, 0.5, 5):.0f} % of the time; for 80 % {seeds_needed(0.6, 0.5)} are needed."
    )
    assert "1 seed sees an effect of 0.6 points 0 % of the time" in power_sentence(0.6, 0.5, 1)
    assert "more than 200 seeds are needed" in power_sentence(0.001, 1, 5)
