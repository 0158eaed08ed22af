"""tau-b, its interval over rows and its p against scipy and slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from msaf_bench.stats.concordance import LEAST, Concordance, concordance


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_tau_is_scipys(pairs: list[tuple[int, int]]):
    x, y = zip(*pairs, strict=True)
    found = concordance(x, y, resamples=20)
    assert (float("nan") if found.tau is None else found.tau) == pytest.approx(
        kendalltau(x, y).statistic, nan_ok=True
    )


def test_the_p_of_few_rows_is_exact():
    x, y = [1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5]
    assert concordance(x, y).p == pytest.approx(kendalltau(x, y, method="exact").pvalue)


def test_the_p_of_more_rows_is_near_the_exact_one():
    x, y = np.arange(12), [0, 3, 1, 2, 7, 4, 5, 9, 6, 11, 8, 10]
    assert concordance(x.tolist(), y).p == pytest.approx(
        kendalltau(x, y, method="exact").pvalue, abs=0.002
    )
    y = np.random.default_rng(5).permutation(12)
    assert concordance(x.tolist(), y.tolist()).p == pytest.approx(
        kendalltau(x, y, method="exact").pvalue, abs=0.02
    )


@pytest.mark.slow
def test_the_interval_is_that_of_a_slow_bootstrap_over_rows():
    rng = np.random.default_rng(3)
    x = rng.normal(size=14)
    y = x + rng.normal(size=14)
    drawn = [rng.integers(0, 14, 14) for _ in range(4000)]
    taus = [kendalltau(x[rows], y[rows]).statistic for rows in drawn]
    found = concordance(x.tolist(), y.tolist(), resamples=4000)
    assert (found.low, found.high) == pytest.approx(
        tuple(np.quantile(taus, [0.025, 0.975])), abs=0.04
    )
    assert concordance(x.tolist(), y.tolist(), resamples=4000) == found


@pytest.mark.slow
def test_decisions():
    order = list(range(LEAST))
    assert concordance(order, order).decision == "agrees"
    assert concordance(order, order[::-1]).decision == "reversed"
    assert concordance(order[1:], order[1:]).decision == "undecided"
    assert concordance(order, [3, 1, 4, 1, 5, 9, 2, 6]).decision == "undecided"
    assert Concordance(0.5, None, None, None, 20).decision == "undecided"


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_nothing_to_order(values: list[float]):
    assert concordance(values, values) == Concordance(None, None, None, None, len(values))


def test_few_rows_have_a_p_and_no_interval():
    found = concordance([1, 2, 3, 4], [1, 2, 3, 4])
    assert (found.tau, found.low, found.high, found.p) == (1.0, None, None, 2 / 24)
