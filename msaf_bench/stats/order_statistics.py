"""Quantiles of a sample with intervals that assume no distribution, and how large a sample has to
be to state one.

Symbols: n samples, q the quantile (0..1). The interval is that of two order statistics, by the
binomial law of how many samples lie below the true quantile (David and Nagaraja, Order Statistics,
2003, 7.1). It holds for samples that do not depend on each other.
"""

from collections.abc import Sequence
from itertools import count
from math import ceil
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr  # pyright: ignore[reportUnknownVariableType]


class Quantile(NamedTuple):
    """A quantile, which is one of the samples, and its interval; None where the sample is too small
    for one.
    """

    value: float
    low: float | None
    high: float | None


def interval_ranks(n: int, q: float, level: float = 0.95) -> tuple[int, int] | None:
    """The ranks l < u (from 1) for which [x_(l), x_(u)] covers the q-quantile with at least
    `level`; None where n is too small.

    Each tail has at most (1 - level) / 2.
    """
    # below[k]: chance that at most k samples lie under the quantile, k < n
    below = bdtr(np.arange(n), n, q)
    tail = (1 - level) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail)) + 1
    return (low, high) if low >= 1 and high <= n else None


def quantile(values: Sequence[float], q: float, level: float = 0.95) -> Quantile:
    """The sample quantile x_(ceil(q n)) with its interval at `level`. Raises `ValueError` for no
    values.
    """
    if not len(values):
        raise ValueError("a quantile needs at least one value")
    x = np.sort(np.asarray(values, np.float64))
    ranks = interval_ranks(x.size, q, level)
    low, high = (None, None) if ranks is None else (float(x[rank - 1]) for rank in ranks)
    return Quantile(float(x[max(ceil(q * x.size), 1) - 1]), low, high)


def least_samples(q: float, *, beyond: int = 1, confidence: float = 0.99) -> int:
    """The fewest samples of which more than `beyond` lie above the q-quantile, with `confidence`:
    64 for q = 0.9, 662 for q = 0.99.

    Below that, a stated quantile would hang on one or two samples. Source: MLPerf LoadGen's early
    stopping.
    """
    return next(n for n in count(beyond + 1) if bdtr(beyond, n, 1 - q) <= 1 - confidence)
