"""Means and paired differences over seeds with Student-t intervals: by themselves, of a whole
family, and of one more run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # pyright: ignore[reportUnknownVariableType]

UNBOUNDED = (-float("inf"), float("inf"))
PERCENT = (0.0, 100.0)  #: the range of mIoU and TC
POINTS = (-100.0, 100.0)  #: the range of a difference of two percentages


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
    """A mean difference over shared seeds; its interval excludes zero exactly where `p` is below
    one minus the interval's level.
    """

    interval: Interval
    #: two-sided, of the paired t test, adjusted for the family; None below two seeds
    p: float | None


def mean_interval(
    values: Sequence[float], level: float = 0.95, within: tuple[float, float] = UNBOUNDED
) -> Interval:
    """The mean of `values` and its two-sided Student-t interval at `level`, cut to the range that
    they can have.

    Raises `ValueError` for no value, or for one that is not finite.
    """
    return _interval(values, level, within, spread=0.0)


def prediction_interval(
    values: Sequence[float], level: float = 0.95, within: tuple[float, float] = UNBOUNDED
) -> Interval:
    """The mean of `values` and the interval that holds one more value at `level`: mean ± t·sd·√(1 +
    1/n).

    Raises `ValueError` for no value, or for one that is not finite. Source: Student's t for a
    future observation.
    """
    return _interval(values, level, within, spread=1.0)


def level_of_each(family: int, level: float = 0.95) -> float:
    """The level at which so many intervals must stand for all of them to hold together at `level`
    (Bonferroni).
    """
    return 1 - (1 - level) / family


def paired_difference(
    a: Mapping[int, float], b: Mapping[int, float], level: float = 0.95, family: int = 1
) -> Difference | None:
    """The mean of a - b over the seeds that both have (seed -> value), or None where they share
    none.

    With a `family` of so many planned comparisons, all their intervals together hold the truth at
    `level`, and p is adjusted alike (Bonferroni). Values are percentages. Raises `ValueError` as
    `mean_interval`.
    """
    d = [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]
    return (
        Difference(mean_interval(d, level_of_each(family, level), POINTS), _paired_p(d, family))
        if d
        else None
    )


def _interval(
    values: Sequence[float], level: float, within: tuple[float, float], spread: float
) -> Interval:
    x = np.asarray(values, np.float64)
    if not x.size or not np.isfinite(x).all():
        raise ValueError(f"an interval needs finite values, got {list(values)}")
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, None, None, None, 1)
    sd = _sd(x)
    half = float(stdtrit(x.size - 1, (1 + level) / 2)) * sd * (spread + 1 / x.size) ** 0.5
    return Interval(mean, max(within[0], mean - half), min(within[1], mean + half), sd, x.size)


def _sd(x: np.ndarray) -> float:
    """The standard deviation; 0 where the values differ by no more than rounding, so that no t is
    made of noise.
    """
    sd = float(x.std(ddof=1))
    return 0.0 if sd <= 1e-12 * float(np.abs(x).max()) else sd


def _paired_p(differences: Sequence[float], family: int) -> float | None:
    d = np.asarray(differences, np.float64)
    if d.size < 2:
        return None
    sd, mean = _sd(d), float(d.mean())
    if sd == 0:
        return float(mean == 0)
    return min(1.0, family * 2 * float(stdtr(d.size - 1, -abs(mean) / sd * d.size**0.5)))
