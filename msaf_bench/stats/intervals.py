"""Means and paired differences over seeds with Student-t intervals.

Intervals are for one mean, simultaneous for a family of means, or for one more run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # pyright: ignore[reportUnknownVariableType]

UNBOUNDED = (-float("inf"), float("inf"))
PERCENT = (0.0, 100.0)  #: range of mIoU and TC
POINTS = (-100.0, 100.0)  #: range of a difference of two percentages


@dataclass(frozen=True)
class Interval:
    """Mean over seeds with a Student-t interval, in the unit of the values."""

    mean: float
    low: float | None  #: None for fewer than two values; so are `high` and `sd`
    high: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Mean difference over shared seeds.

    The interval excludes zero if and only if `p` is below one minus its level.
    """

    interval: Interval
    #: two-sided p of the paired t test, adjusted for the family; None below two seeds
    p: float | None


def mean_interval(
    values: Sequence[float], level: float = 0.95, within: tuple[float, float] = UNBOUNDED
) -> Interval:
    """Return the mean of `values` with a two-sided Student-t interval at `level`.

    The interval is clipped to `within`, the range of the values. Raises `ValueError` if there are
    no values or one is not finite.
    """
    return _interval(values, level, within, spread=0.0)


def prediction_interval(
    values: Sequence[float], level: float = 0.95, within: tuple[float, float] = UNBOUNDED
) -> Interval:
    """Return the mean of `values` with a prediction interval for one more value at `level`.

    The interval is mean ± t·sd·√(1 + 1/n), by Student's t for a future observation, clipped to
    `within`. Raises `ValueError` if there are no values or one is not finite.
    """
    return _interval(values, level, within, spread=1.0)


def level_of_each(family: int, level: float = 0.95) -> float:
    """Return the level of each of `family` intervals so that all hold together at `level`.

    Uses the correction of Bonferroni.
    """
    return 1 - (1 - level) / family


def paired_difference(
    a: Mapping[int, float], b: Mapping[int, float], level: float = 0.95, family: int = 1
) -> Difference | None:
    """Return the mean of a - b over shared seeds.

    Args:
        a: Value in percent by seed.
        b: Value in percent by seed.
        level: Level at which the intervals of the whole family hold together.
        family: Number of planned comparisons; interval and p are adjusted for it (Bonferroni).

    Returns:
        The difference, or None without a shared seed.

    Raises:
        ValueError: If a value is not finite.
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
    """Return the standard deviation, or 0 if the values differ by rounding only.

    This avoids a t computed from rounding noise.
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
