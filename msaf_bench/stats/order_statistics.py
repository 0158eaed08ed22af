"""Quantiles of a sample with distribution-free intervals, and the necessary sample size.

The interval lies between two order statistics. The number of samples below the true quantile has a
binomial distribution (David and Nagaraja, Order Statistics, 2003, 7.1). Samples must be
independent.

Symbols: n samples, q the quantile (0..1).
"""

from collections.abc import Sequence
from itertools import count
from math import ceil
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr  # pyright: ignore[reportUnknownVariableType]


class Quantile(NamedTuple):
    """Sample quantile with its interval; the bounds are None if the sample is too small."""

    value: float
    low: float | None
    high: float | None


def interval_ranks(n: int, q: float, level: float = 0.95) -> tuple[int, int] | None:
    """Return ranks l < u (from 1) so that [x_(l), x_(u)] covers the q-quantile at `level` or more.

    Each tail has at most (1 - level) / 2. None if n is too small.
    """
    # below[k]: probability of at most k samples below the quantile, k < n
    below = bdtr(np.arange(n), n, q)
    tail = (1 - level) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail)) + 1
    return (low, high) if low >= 1 and high <= n else None


def quantile(values: Sequence[float], q: float, level: float = 0.95) -> Quantile:
    """Return the sample quantile x_(ceil(q n)) with its interval at `level`.

    Raises `ValueError` if `values` is empty.
    """
    if not len(values):
        raise ValueError("a quantile needs at least one value")
    x = np.sort(np.asarray(values, np.float64))
    ranks = interval_ranks(x.size, q, level)
    low, high = (None, None) if ranks is None else (float(x[rank - 1]) for rank in ranks)
    return Quantile(float(x[max(ceil(q * x.size), 1) - 1]), low, high)


def least_samples(q: float, *, beyond: int = 1, confidence: float = 0.99) -> int:
    """Return the smallest sample size with more than `beyond` values above the q-quantile.

    This holds with probability `confidence`: 64 samples for q = 0.9, 662 for q = 0.99. In a smaller
    sample, the quantile would depend on one or two values. Source: early stopping of MLPerf
    LoadGen.
    """
    return next(n for n in count(beyond + 1) if bdtr(beyond, n, 1 - q) <= 1 - confidence)
