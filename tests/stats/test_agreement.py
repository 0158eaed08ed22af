"""tau-b against scipy, and its bootstrap where it is and is not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from msaf_bench.stats import agreement, tau_b

PRINTED = [74.5, 77.5, 79.1, 76.5, 77.3, 79.7, 79.8, 79.8, 80.4]


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


def test_interval_is_that_of_a_slow_bootstrap_over_seeds():
    measured = np.array(PRINTED)[:, None] + np.random.default_rng(3).normal(0, 2, (9, 6))
    rng, taus = np.random.default_rng(42), []
    for _ in range(4000):
        drawn = rng.integers(0, 6, 6)
        taus.append(kendalltau(PRINTED, measured[:, drawn].mean(1)).statistic)
    found = agreement(PRINTED, measured, resamples=4000)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(taus, [0.025, 0.975])), abs=0.04)


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
