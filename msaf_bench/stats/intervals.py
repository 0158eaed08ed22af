"""Means and paired differences over seeds, with the interval and the exact test that a few seeds allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # pyright: ignore[reportUnknownVariableType]

EXACT = 16  #: up to this many seeds all sign flips are enumerated; above, 2^16 of them are drawn


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its Student-t interval, in the unit of the values."""

    mean: float
    low: float | None  #: None below two values, like `high` and `sd`
    high: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """A mean difference over shared seeds, and how often chance alone gives one as large."""

    interval: Interval
    p: float  #: exact, two-sided, by sign flips; 2 / 2^n at the smallest


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of `values` and its two-sided Student-t interval at `level`. Raises `ValueError` for none, or for one not finite."""
    x = np.asarray(values, np.float64)
    if not x.size or not np.isfinite(x).all():
        raise ValueError(f"an interval needs finite values, got {list(values)}")
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, None, None, None, 1)
    sd = float(x.std(ddof=1))
    half = float(stdtrit(x.size - 1, (1 + level) / 2)) * sd / x.size**0.5
    return Interval(mean, mean - half, mean + half, sd, x.size)


def sign_flip_p(differences: Sequence[float]) -> float:
    """Share of all sign patterns whose absolute mean reaches the observed one: the exact two-sided p of "no difference"."""
    d = np.asarray(differences, np.float64)
    if d.size <= EXACT:
        flips = (np.arange(1 << d.size)[:, None] >> np.arange(d.size)) & 1
    else:
        flips = np.random.default_rng(0).integers(0, 2, (2**EXACT, d.size))
        flips[0] = 0  # the observed pattern is one of the draws, so p is never 0
    # Patterns that tie in exact arithmetic differ by rounding in floats.
    reached = np.abs((1 - 2 * flips) @ d) >= abs(d.sum()) - 1e-9 * np.abs(d).sum()
    return float(reached.mean())


def paired_difference(a: Mapping[int, float], b: Mapping[int, float], level: float = 0.95) -> Difference | None:
    """The mean of a - b over the seeds that both have (seed -> value), or None where they share none."""
    d = [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]
    return Difference(mean_interval(d, level), sign_flip_p(d)) if d else None
