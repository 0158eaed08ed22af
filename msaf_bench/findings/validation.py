"""Validation during training of one row or control, over its seeds; mIoU in percent (0..100)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from msaf_bench.stats import PERCENT, Interval, mean_interval


@dataclass(frozen=True)
class ValidationPoint:
    """Validation mIoU at one step, over the seeds."""

    step: int
    mean: float
    low: float  #: lowest value of a seed
    high: float  #: highest value of a seed


@dataclass(frozen=True)
class SeedCurve:
    """Validation curve of one training."""

    seed: int
    points: tuple[tuple[int, float], ...]  #: (steps done, mIoU), at least one
    kept_step: int  #: step of the scored weights

    @property
    def best_step(self) -> int:
        """Step with the highest mIoU; the first one of a tie."""
        return max(self.points, key=lambda point: point[1])[0]


@dataclass(frozen=True)
class Validation:
    """Validation curves of all trainings of a row or control, at least one."""

    curves: tuple[SeedCurve, ...]

    @cached_property
    def points(self) -> tuple[ValidationPoint, ...]:
        """Validation mIoU at each step, over the seeds."""
        at: dict[int, list[float]] = {}
        for curve in self.curves:
            for step, miou in curve.points:
                at.setdefault(step, []).append(miou)
        return tuple(
            ValidationPoint(step, fmean(values), min(values), max(values))
            for step, values in sorted(at.items())
        )

    @property
    def highest(self) -> Interval:
        """Highest mIoU of each training, over the seeds."""
        return self._interval([max(miou for _, miou in each.points) for each in self.curves])

    @property
    def last(self) -> Interval:
        """Last mIoU of each training, over the seeds."""
        return self._interval([each.points[-1][1] for each in self.curves])

    @staticmethod
    def _interval(values: Sequence[float]) -> Interval:
        return mean_interval(values, within=PERCENT)
