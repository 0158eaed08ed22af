"""Agreement of the measured order of rows with the published order. Shapes: R rows, S seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msaf_bench.stats.intervals import paired_difference
from msaf_bench.stats.verdicts import judge

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two orders: 1 same order, 0 unrelated, -1 reversed; None if undefined."""

    tau: float | None
    low: float | None
    high: float | None
    rows: int
    seeds: int


def tau_b(x: Floats, y: Floats) -> Floats:
    """Return Kendall's tau-b of x (R,) with each row of y (..., R); NaN if either is constant.

    Source: Kendall 1945.
    """
    first, second = np.triu_indices(x.size, 1)
    sx, sy = np.sign(x[first] - x[second]), np.sign(y[..., first] - y[..., second])
    with np.errstate(invalid="ignore"):
        return (sx * sy).sum(-1) / np.sqrt(np.abs(sx).sum() * np.abs(sy).sum(-1))


def agreement(published: Sequence[float], measured: Floats, *, level: float = 0.95) -> Agreement:
    """Return tau-b of `published` (R,) with the row means of `measured` (R, S).

    `measured` is NaN for a missing seed. The interval is None below two seeds. It covers at `level`
    or more: it spans all orders of the true means that agree with simultaneous intervals of every
    pair of rows. If the interval of a pair excludes zero, the pair counts with its sign, else with
    both signs.
    """
    x, values = np.asarray(published, np.float64), np.asarray(measured, np.float64)
    rows, seeds = values.shape
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, values, 0.0).sum(1) / known.sum(1)
    tau = float(tau_b(x, means)) if rows and np.isfinite(means).all() else float("nan")
    low = high = None
    if np.isfinite(tau) and seeds > 1:
        by_seed = [
            {int(s): float(row[s]) for s in np.flatnonzero(np.isfinite(row))} for row in values
        ]
        first, second = np.triu_indices(rows, 1)
        sx = np.sign(x[first] - x[second])
        signs = {"above": 1.0, "below": -1.0}
        gaps = [
            paired_difference(by_seed[i], by_seed[j], level, family=len(first))
            for i, j in zip(first, second, strict=True)
        ]
        sy = np.array([signs.get(judge(gap.interval), 0.0) if gap else 0.0 for gap in gaps])
        scale = float(np.sqrt(np.abs(sx).sum() * len(sx)))
        settled, open_pairs = float((sx * sy).sum()), float(np.abs(sx[sy == 0]).sum())
        low, high = (settled - open_pairs) / scale, (settled + open_pairs) / scale
    return Agreement(tau if np.isfinite(tau) else None, low, high, rows, seeds)
