"""How far two orders of the same rows agree, and what so many rows can say of it. Shapes: R rows, B
draws.

`agreement` asks what other seeds would give; this asks what other rows would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: rows; for fewer the interval does not hold the truth as often as it says, and nothing is decided
LEAST = 8
EXACT = 7  #: up to so many rows every permutation is tried; above, 9,999 are drawn
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Concordance:
    """Kendall's tau-b: 1 the same order, 0 unrelated, -1 reversed; None where it is undefined, as
    where all values tie.
    """

    tau: float | None
    low: float | None  #: 95 % interval when the rows are drawn again; None for fewer than `LEAST`
    high: float | None
    p: float | None  #: two-sided: how often rows in a random order are as far from 0
    rows: int

    @property
    def decision(self) -> Literal["agrees", "reversed", "undecided"]:
        """Which way the orders go, where the interval lies on one side of 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "undecided"
        return "agrees" if self.low > 0 else "reversed"


def concordance(
    x: Sequence[float], y: Sequence[float], *, level: float = 0.95, resamples: int = 2000
) -> Concordance:
    """tau-b of x (R,) and y (R,) with a percentile bootstrap over rows and a permutation p. The
    draws are fixed: equal data, equal numbers.

    A row that is drawn twice ties with itself. Source: Kendall 1945 (tau-b).
    """
    return _concordance(tuple(x), tuple(y), level, resamples)


@lru_cache(maxsize=128)  # every table, page and figure of a report asks for the same few
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
    """(R, R): the order of every pair."""
    x = np.asarray(values, np.float64)
    return np.sign(x[:, None] - x[None])


def _tau(weights: Floats, sx: Floats, sy: Floats) -> Floats:
    """tau-b of each draw, whose rows count so many times: weights (B, R) -> (B,); NaN where a draw
    ties throughout.
    """

    def pairs(signs: Floats) -> Floats:
        return np.einsum("br,rs,bs->b", weights, signs, weights, optimize=True)

    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs(sx * sy) / np.sqrt(pairs(np.abs(sx)) * pairs(np.abs(sy)))
