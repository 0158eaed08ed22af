"""Intervals, tests, verdicts and power against scipy and against hand-made cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from msaf_bench.stats import (
    Interval,
    judge,
    match_power,
    mean_interval,
    paired_difference,
    paired_power,
    power_sentence,
    prediction_interval,
    seeds_needed,
    seeds_to_match,
)


def test_interval_is_student_t():
    values = [70.1, 71.3, 69.8, 70.9, 72.0]
    found = mean_interval(values, 0.9)
    low, high = reference.t.interval(0.9, 4, np.mean(values), reference.sem(values))
    assert (found.mean, found.low, found.high, found.n) == (
        pytest.approx(np.mean(values)),
        pytest.approx(low),
        pytest.approx(high),
        5,
    )
    assert found.sd == pytest.approx(np.std(values, ddof=1))


def test_one_value_has_no_interval():
    assert mean_interval([70.0]) == Interval(70.0, None, None, None, 1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_interval_refuses_what_is_not_a_number(values: list[float]):
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)


def test_an_interval_stays_in_the_range_of_its_values():
    assert mean_interval([1.0, 9.0], within=(0, 100)).low == 0
    assert mean_interval([99.0, 91.0], within=(0, 100)).high == 100
    assert prediction_interval([1.0, 9.0], within=(0, 100)).low == 0


def test_prediction_interval_is_students_for_one_more():
    values = [70.1, 71.3, 69.8, 70.9, 72.0]
    found = prediction_interval(values, 0.9)
    half = reference.t.ppf(0.95, 4) * np.std(values, ddof=1) * (1 + 1 / 5) ** 0.5
    assert (found.low, found.high) == (
        pytest.approx(np.mean(values) - half),
        pytest.approx(np.mean(values) + half),
    )


@pytest.mark.parametrize("family", [1, 10])
@pytest.mark.parametrize("n", [2, 5, 10])
def test_p_and_interval_are_those_of_scipys_paired_test(n: int, family: int):
    a, b = np.random.default_rng(n).normal(70, 1, (2, n))
    found = paired_difference(dict(enumerate(a)), dict(enumerate(b)), family=family)
    theirs = reference.ttest_rel(a, b)
    assert found is not None
    assert found.p == pytest.approx(min(1, family * theirs.pvalue))
    bounds = theirs.confidence_interval(1 - 0.05 / family)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (max(-100, bounds.low), min(100, bounds.high))
    )


def test_no_t_is_made_of_rounding():
    found = paired_difference({0: 0.3, 1: 0.1 + 0.2 + 1}, {0: 0.0, 1: 1.0})
    assert found is not None
    assert (found.interval.sd, found.p) == (0, 0)
    same = paired_difference({0: 0.3, 1: 0.4}, {0: 0.3, 1: 0.4})
    assert same is not None
    assert same.p == 1


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12),
    st.integers(1, 40),
    st.floats(0.01, 5),
)
@settings(max_examples=300, deadline=None)
def test_word_interval_and_p_never_disagree(
    pairs: list[tuple[float, float]], family: int, margin: float
):
    found = paired_difference(
        {i: a for i, (a, _) in enumerate(pairs)},
        {i: b for i, (_, b) in enumerate(pairs)},
        family=family,
    )
    assert found is not None
    word, i = judge(found.interval, margin), found.interval
    if i.low is None or i.high is None or found.p is None:
        assert (i.low, i.high, found.p, word) == (None, None, None, "undecided")
        return
    assert -100 <= i.low <= i.mean <= i.high <= 100
    assert (word in ("above", "below")) == (not i.low <= 0 <= i.high)
    if abs(found.p - 0.05) > 1e-9 and abs(i.mean) > 1e-9:
        assert (word in ("above", "below")) == (found.p < 0.05)
    assert (word == "same") == (i.low <= 0 <= i.high and -margin < i.low and i.high < margin)


def test_difference_is_paired_by_seed():
    found = paired_difference({0: 3.0, 1: 5.0, 2: 9.0, 7: 1.0}, {2: 6.0, 1: 4.0, 0: 1.0, 8: 0.0})
    assert found is not None
    assert found.interval == mean_interval([2.0, 1.0, 3.0])
    assert found.p == pytest.approx(reference.ttest_1samp([2.0, 1.0, 3.0], 0).pvalue)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [
        (0.1, 2.0, "above"), (-2.0, -0.1, "below"), (0.1, 0.2, "above"), (-0.1, 0.1, "same"), (0.0,
        0.4, "same"),
        (-0.1, 0.5, "undecided"), (0.0, 1.0, "undecided"), (None, None, "undecided"),
    ],
)  # fmt: skip
def test_judge(low: float | None, high: float | None, decision: str):
    assert judge(Interval(0.5, low, high, 0.1, 5), 0.5) == decision


def test_judge_of_nothing():
    assert judge(None) == "undecided"
    # without a margin nothing is the same
    assert judge(Interval(0, -0.1, 0.1, 0.1, 5)) == "undecided"


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


def test_power_to_call_rows_the_same_against_simulation():
    rng = np.random.default_rng(2)
    for sd, n, level in ((0.3, 5, 0.95), (0.3, 10, 0.995), (0.6, 10, 0.95)):
        d = rng.normal(0, sd, (20_000, n))
        half = reference.t.ppf((1 + level) / 2, n - 1) * d.std(1, ddof=1) / n**0.5
        assert match_power(sd, 0.5, n, level) == pytest.approx(
            (np.abs(d.mean(1)) + half < 0.5).mean(), abs=0.012
        )
    assert (match_power(0.3, 0.5, 1), match_power(0, 0.5, 2)) == (0, 1)
    n = seeds_to_match(0.4, 0.5)
    assert n is not None
    assert match_power(0.4, 0.5, n - 1) < 0.8 <= match_power(0.4, 0.5, n)


def test_power_in_words():
    assert (
        power_sentence(0.6, 0.5, 5)
        == "With differences that spread by 0.5 points, 5 seeds see an effect of 0.6 points"
        f" {100 * paired_power(0.6, 0.5, 5):.0f} % of the time; for 80 %"
        f" {seeds_needed(0.6, 0.5)} are needed."
    )
    assert "1 seed sees an effect of 0.6 points 0 % of the time" in power_sentence(0.6, 0.5, 1)
    assert "more than 200 seeds are needed" in power_sentence(0.001, 1, 5)
