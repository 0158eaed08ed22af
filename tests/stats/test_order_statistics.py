"""Quantiles and their intervals against sums of exact fractions, scipy and simulation."""

from fractions import Fraction
from itertools import accumulate
from math import comb

import numpy as np
import pytest
from scipy import stats as reference

from msaf_bench.stats.order_statistics import interval_ranks, least_samples, quantile


def at_most(k: int, n: int, q: Fraction) -> Fraction:
    return sum((comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1)), Fraction(0))


def slow_ranks(n: int, q: Fraction, level: Fraction) -> tuple[int, int] | None:
    """The largest lower and the smallest upper rank whose tails are each at most (1 -
    level) / 2.
    """
    tail = (1 - level) / 2
    # [k]: at most k under the quantile
    below = list(accumulate(comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(n)))
    low = max((rank for rank in range(1, n + 1) if below[rank - 1] <= tail), default=None)
    high = min((rank for rank in range(1, n + 1) if 1 - below[rank - 1] <= tail), default=None)
    return None if low is None or high is None else (low, high)


@pytest.mark.parametrize("q", [Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)])
@pytest.mark.parametrize("level", [Fraction(9, 10), Fraction(19, 20), Fraction(99, 100)])
def test_ranks_are_those_of_the_binomial_law(q: Fraction, level: Fraction):
    for n in (1, 2, 5, 6, 7, 10, 29, 36, 64, 101):
        assert interval_ranks(n, float(q), float(level)) == slow_ranks(n, q, level)


@pytest.mark.slow
def test_ranks_near_the_top_of_a_large_sample():
    assert interval_ranks(662, 0.99) == slow_ranks(662, Fraction(99, 100), Fraction(19, 20))


def test_ranks_of_the_median_are_those_of_the_sign_test():
    for n in (6, 25, 400):
        low, high = reference.binom.ppf(0.025, n, 0.5), reference.binom.ppf(0.975, n, 0.5) + 1
        assert interval_ranks(n, 0.5) == (low, high)


@pytest.mark.slow
def test_intervals_cover_the_true_quantile_as_often_as_they_say():
    rng = np.random.default_rng(0)
    for q, n in ((0.5, 40), (0.9, 80)):
        truth = reference.lognorm.ppf(q, 0.5)
        found = [quantile(line, q) for line in rng.lognormal(0, 0.5, (2000, n))]
        covered = np.mean(
            [f.low <= truth <= f.high for f in found if f.low is not None and f.high is not None]
        )
        assert 0.945 <= covered <= 0.995


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 101])
def test_quantile_is_numpys_inverse_of_the_empirical_distribution(q: float, n: int):
    values = np.random.default_rng(n).normal(size=n)
    assert quantile(list(values), q).value == np.quantile(values, q, method="inverted_cdf")


def test_small_samples_have_a_value_and_no_interval():
    assert quantile([3.0, 1.0, 2.0], 0.5) == (2.0, None, None)
    assert quantile([4.0, 1.0, 2.0, 3.0, 5.0, 6.0], 0.5) == (3.0, 1.0, 6.0)
    with pytest.raises(ValueError, match="at least one"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("q", "beyond", "n"),
    [(0.9, 1, 64), (0.99, 1, 662), (0.9, 0, 44), (0.9, 5, 127), (0.95, 1, 130), (0.99, 0, 459)],
)
def test_least_samples_are_mlperfs(q: float, beyond: int, n: int):
    """n is the first at which the binomial tail, summed exactly, is within 1 %."""
    above = 1 - Fraction(str(q))
    assert at_most(beyond, n, above) <= Fraction(1, 100) < at_most(beyond, n - 1, above)
    assert least_samples(q, beyond=beyond) == n
