"""tau-b against scipy, and its interval where it is and is not defined."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, ttest_rel

from msaf_bench.stats import agreement, tau_b

PRINTED = [74.5, 77.5, 79.1, 76.5, 77.3, 79.7, 79.8, 79.8, 80.4]


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=9))
@settings(max_examples=100, deadline=None)
def test_tau_b_is_scipys(pairs: list[tuple[int, int]]):
    x, y = np.array(pairs, float).T
    assert float(tau_b(x, y)) == pytest.approx(kendalltau(x, y).statistic, nan_ok=True)


def test_agreement_holds_its_estimate():
    measured = np.array(PRINTED)[:, None] + np.random.default_rng(0).normal(0, 0.6, (9, 5))
    found = agreement(PRINTED, measured)
    assert found.tau == pytest.approx(kendalltau(PRINTED, measured.mean(1)).statistic)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.tau <= found.high
    assert (found.rows, found.seeds) == (9, 5)
    assert agreement(PRINTED, measured) == found


def test_interval_spans_the_orders_that_are_left_open():
    """Against an enumeration of all orders that agree with every pair whose simultaneous interval
    excludes zero.
    """
    measured = np.array(
        [[3.0, 3.1, 3.2, 3.0], [3.1, 3.0, 3.1, 3.1], [5.0, 5.1, 5.2, 5.1], [9.0, 9.2, 9.1, 9.0]]
    )
    published, settled = [1.0, 2.0, 4.0, 3.0], []
    for i, j in combinations(range(4), 2):
        bounds = ttest_rel(measured[i], measured[j]).confidence_interval(1 - 0.05 / 6)
        if not bounds.low <= 0 <= bounds.high:
            settled.append((i, j, bounds.low > 0))
    assert 0 < len(settled) < 6
    taus = [
        kendalltau(published, order).statistic
        for order in permutations(range(4))
        if all((order[i] > order[j]) == above for i, j, above in settled)
    ]
    found = agreement(published, measured)
    assert (found.low, found.high) == pytest.approx((min(taus), max(taus)))


def test_a_row_without_a_seed_uses_the_seeds_it_has():
    measured = np.array([[1.0, 2.0], [3.0, np.nan], [2.0, 2.0]])
    assert agreement([1, 3, 2], measured).tau == 1


@pytest.mark.parametrize("measured", [np.zeros((3, 0)), np.zeros((3, 4)), np.full((3, 2), np.nan)])
def test_undefined_is_none(measured: np.ndarray):
    found = agreement([1, 2, 3], measured)
    assert (found.tau, found.low, found.high) == (None, None, None)


def test_one_seed_has_no_interval():
    found = agreement([1, 2, 3], np.array([[1.0], [2.0], [3.0]]))
    assert (found.tau, found.low, found.high) == (1, None, None)
    assert agreement([], np.zeros((0, 0))).tau is None
