"""Agreement of two orders of the same rows, with an interval for other rows.

`agreement` has an interval for other seeds. Shapes: R rows, B draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: fewest rows for an interval and a decision; with fewer rows it covers less than its level
LEAST = 8
EXACT = 7  #: most rows for which every permutation is tried; above, 9,999 are drawn
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Concordance:
    """Kendall's tau-b: 1 same order, 0 unrelated, -1 reversed.

    None if it is undefined, as when all values of one side tie.
    """

    tau: float | None
    low: float | None  #: 95 % interval over resampled rows; None for fewer than `LEAST` rows
    high: float | None
    p: float | None  #: two-sided: share of random orders with a tau at least as far from 0
    rows: int

    @property
    def decision(self) -> Literal["agrees", "reversed", "undecided"]:
        """Direction of the agreement if the interval excludes 0, else undecided."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "undecided"
        return "agrees" if self.low > 0 else "reversed"


def concordance(
    x: Sequence[float], y: Sequence[float], *, level: float = 0.95, resamples: int = 2000
) -> Concordance:
    """Return tau-b of x (R,) and y (R,) with a percentile bootstrap over rows and a permutation p.

    The draws are fixed: equal data give equal numbers. A row drawn twice ties with itself. Source:
    Kendall 1945 (tau-b).

    Args:
        x: First value of each row.
        y: Second value of each row.
        level: Level of the interval.
        resamples: Number of resamples of the rows.
    """
    return _concordance(tuple(x), tuple(y), level, resamples)


@lru_cache(maxsize=128)  # tables, pages and figures of a report request the same values
def _concordance(
    x: tuple[float, ...], y: tuple[float, ...], level: float, resamples: int
) -> Concordance:
    rows = len(x)
    sx, sy = _signs(x), _signs(y)
    ties = np.abs(sx).sum() * np.abs(sy).sum()
    if not ties:
        return Concordance(None, None, None, None, rows)
    rng = np.random.default_rng(0)
    low = high = None
    if rows >= LEAST:
        taus = _tau(
            rng.multinomial(rows, np.full(rows, 1 / rows), resamples).astype(np.float64), sx, sy
        )
        low, high = (
            float(bound) for bound in np.nanquantile(taus, [(1 - level) / 2, (1 + level) / 2])
        )
    together = (sx * sy).sum()
    if rows <= EXACT:
        reached = [
            abs((sx * sy[np.ix_(order, order)]).sum()) >= abs(together)
            for order in permutations(range(rows))
        ]
        p = sum(reached) / len(reached)
    else:
        orders = rng.permuted(np.tile(np.arange(rows), (9999, 1)), axis=1)
        drawn = np.einsum(
            "ij,bij->b",
            sx.astype(np.float32),
            sy.astype(np.float32)[orders[:, :, None], orders[:, None]],
        )
        p = (1 + int((np.abs(drawn) >= abs(together)).sum())) / 10_000
    return Concordance(float(together / ties**0.5), low, high, float(p), rows)


def _signs(values: Sequence[float]) -> Floats:
    """Return the order of every pair as a sign, (R, R)."""
    x = np.asarray(values, np.float64)
    return np.sign(x[:, None] - x[None])


def _tau(weights: Floats, sx: Floats, sy: Floats) -> Floats:
    """Return tau-b of each draw, (B,), with row counts `weights` (B, R); NaN if a side ties."""

    def pairs(signs: Floats) -> Floats:
        return np.einsum("br,rs,bs->b", weights, signs, weights, optimize=True)

    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs(sx * sy) / np.sqrt(pairs(np.abs(sx)) * pairs(np.abs(sy)))
