"""Growth of the cost of attention with the size of the feature map: a in cost ~ n^a."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msaf_bench.analyzers.attention.complexity import TRANSFORMERS
from msaf_bench.analyzers.attention.study import MeasuredCost
from msaf_bench.stats.growth import exponent


class Quantity(NamedTuple):
    """One kind of cost and how to read it from a `MeasuredCost`; None if it was not measured."""

    key: str
    title: str
    unit: str
    read: Callable[[MeasuredCost, str], float | None]
    drawn: bool = True  #: whether the figure has a panel for it

    def points(self, costs: Sequence[MeasuredCost], name: str) -> list[tuple[int, float]]:
        """Return the pairs (n, cost) of one transformer, sorted by n."""
        found = ((cost.analytic.grid.pixels, self.read(cost, name)) for cost in costs)
        return sorted((n, value) for n, value in found if value is not None)


def _paper(cost: MeasuredCost, name: str) -> float:
    paper = cost.analytic.paper
    return paper.transformer if name == "transformer" else paper.d_transformer


def _pairs(cost: MeasuredCost, name: str) -> float:
    pairs = cost.analytic.pairs
    return pairs.transformer if name == "transformer" else pairs.d_transformer


def _exact(cost: MeasuredCost, name: str) -> float:
    return cost.analytic.totals[name]


def _seconds(cost: MeasuredCost, name: str) -> float | None:
    return cost.measured.forwards[name].seconds if cost.measured else None


def _peak(cost: MeasuredCost, name: str) -> float | None:
    return cost.measured.forwards[name].peak_bytes if cost.measured else None


def _live(cost: MeasuredCost, name: str) -> float | None:
    timed = cost.measured is not None and _seconds(cost, name) is not None
    return cost.measured.live_bytes[name] if cost.measured and timed else None


EXACT = Quantity("exact", "Exact count", "MAC", _exact)
SECONDS = Quantity("seconds", "Measured time of a forward", "seconds", _seconds)
QUANTITIES = (
    Quantity("paper", "The paper's formulas, Eqs. 1 and 8", "relations", _paper),
    Quantity("pairs", "Pairs of tokens", "pairs", _pairs, drawn=False),
    EXACT,
    SECONDS,
    Quantity("live_bytes", "Live activations of a forward, predicted", "bytes", _live, drawn=False),
    Quantity("peak_bytes", "Measured peak memory of a forward", "bytes", _peak),
)


def present(costs: Sequence[MeasuredCost]) -> list[Quantity]:
    """Return the kinds of cost with at least one value."""
    return [q for q in QUANTITIES if any(q.points(costs, name) for name in TRANSFORMERS)]


def exponents(costs: Sequence[MeasuredCost]) -> dict[str, dict[str, float | None]]:
    """Return a in cost ~ n^a by kind of cost and transformer; None for fewer than two sizes.

    If times were measured, `predicted` holds the exponent of the exact count at the timed sizes.
    """

    def fit(points: Sequence[tuple[int, float]]) -> float | None:
        return exponent([n for n, _ in points], [value for _, value in points])

    fits = {
        q.key: {name: fit(q.points(costs, name)) for name in TRANSFORMERS} for q in present(costs)
    }
    if "seconds" not in fits:
        return fits
    timed = {name: [c for c in costs if _seconds(c, name) is not None] for name in TRANSFORMERS}
    return fits | {
        "predicted": {name: fit(EXACT.points(timed[name], name)) for name in TRANSFORMERS}
    }
