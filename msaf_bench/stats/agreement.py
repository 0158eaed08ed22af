"""How far the measured order of the rows agrees with the published one.

Shapes: R rows, S seeds, B resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two orders: 1 the same, 0 unrelated, -1 reversed; None where it is undefined."""

    tau: float | None
    low: float | None
    high: float | None
    rows: int
    seeds: int


def tau_b(x: Floats, y: Floats) -> Floats:
    """Kendall's tau-b of x (R,) with each line of y (..., R); NaN where either is constant. Source: Kendall 1945."""
    first, second = np.triu_indices(x.size, 1)
    sx, sy = np.sign(x[first] - x[second]), np.sign(y[..., first] - y[..., second])
    with np.errstate(invalid="ignore"):
        return (sx * sy).sum(-1) / np.sqrt(np.abs(sx).sum() * np.abs(sy).sum(-1))


def agreement(published: Sequence[float], measured: Floats, *, level: float = 0.95, resamples: int = 2000) -> Agreement:
    """tau-b of `published` (R,) with the row means of `measured` (R, S; NaN where a row lacks a seed).

    The interval is the percentile bootstrap over seeds: all rows take the same resampled seeds, as they were trained.
    The draw is fixed, so equal data give equal intervals. None below two seeds.
    """
    x, values = np.asarray(published, np.float64), np.asarray(measured, np.float64)
    rows, seeds = values.shape
    known = np.isfinite(values)
    draws = np.random.default_rng(0).multinomial(seeds, np.full(seeds, 1 / seeds), resamples) if seeds > 1 else np.zeros((0, 1))
    weights = np.vstack([np.ones((1, seeds)), draws]).astype(np.float64) if seeds else np.zeros((1, 0))
    with np.errstate(invalid="ignore"):
        means: Floats = (
            weights @ np.where(known, values, 0.0).T / (weights @ known.T.astype(np.float64))
        )  # (1 + B, R); NaN where a row has no seed in the draw
    taus = np.where(np.isfinite(means).all(1), tau_b(x, means), np.nan)
    usable = taus[1:][np.isfinite(taus[1:])]
    bounds = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2]) if usable.size else (None, None)
    low, high = (None if bound is None else float(bound) for bound in bounds)
    return Agreement(float(taus[0]) if np.isfinite(taus[0]) else None, low, high, rows, seeds)
