"""Cost of attention over three frames at one or several sizes: formulas, counters, timing.

torch is imported only for measurements, scipy only for several sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as shortened

from msaf_bench.analyzers.attention.clock import Forward
from msaf_bench.analyzers.attention.complexity import HEADS, AttentionCost, Grid, cost_at
from msaf_bench.analyzers.attention.measurement import COUNTERS, NOT_RUN, AttentionMeasurement
from msaf_bench.analyzers.attention.statements import Statement, statements
from msaf_bench.errors import GateError, UsageError
from msaf_bench.sizes import parse_list, parse_size

MOST = 10**18  #: largest number of rows, columns and channels


@dataclass(frozen=True)
class MeasuredCost:
    """Cost of both transformers at one size: by formulas and, on request, measured."""

    analytic: AttentionCost
    measured: AttentionMeasurement | None = None

    def document(self) -> dict[str, object]:
        """Return the cost for JSON."""
        counters: dict[str, object] = {"unit": "MAC", "analytic": self.analytic.totals}
        if self.measured is None:
            counters |= dict.fromkeys(COUNTERS) | {"note": NOT_RUN}
            return self.analytic.document() | {"counters": counters}
        counters |= {name: self.measured.counts[name].macs for name in COUNTERS}
        counters["note"] = self.measured.reasons
        return self.analytic.document() | {"counters": counters} | self.measured.document()


@dataclass(frozen=True)
class AttentionStudy:
    """Cost of attention over three frames at some sizes, and the paper's statements about it."""

    sizes: tuple[MeasuredCost, ...]
    statements: tuple[Statement, ...]  #: checked statements of section 3.3
    #: a in cost ~ n^a by kind of cost and transformer; empty for a single size
    exponents: Mapping[str, Mapping[str, float | None]]

    def document(self) -> dict[str, object]:
        """Return the output of `flops --n --json`; for a single size, the cost at that size."""
        documents = [cost.document() for cost in self.sizes]
        whole: dict[str, object] = documents[0]
        if len(documents) > 1:
            whole = dict[str, object](sizes=documents, exponents=self.exponents)
        whole["claims"] = [statement.document() for statement in self.statements]
        return whole


def attention_cost(
    n: str | tuple[int, int] = "97x97",
    width: int = 256,
    *,
    measure: bool = False,
    on_note: Callable[[str], None] = lambda text: None,
) -> AttentionStudy:
    """Return the cost of attention over three frames: joint against decoupled (MSAF, section 3.3).

        study = attention_cost("97x97")
        study.sizes[0].analytic.paper.ratio  # 3n³ against 3n² + 24n, Eqs. 1 and 8
        study.document()                     # output of `msaf-bench flops --n 97x97 --json`

    Args:
        n: Size of the feature map as (H, W) or "HxW"; several sizes as "64x64,97x97".
        width: Channels of the feature map, for the exact count.
        measure: Also count with torch, fvcore and ptflops, and time one forward of each
            transformer on the CPU, each in a fresh process.
        on_note: Called with one line before each step of a measurement.

    Raises:
        UsageError: If a size or width is invalid, or the heads do not divide a measured width.
        GateError: If torch counts different MACs than the formulas.
    """
    grids = [Grid(*n)] if isinstance(n, tuple) else parse_grids(n)
    _check_width(width, measure=measure)
    analytic = [cost_at(grid, width) for grid in grids]
    costs = tuple(MeasuredCost(c, _measured(c, on_note) if measure else None) for c in analytic)
    return AttentionStudy(costs, tuple(statements()), _exponents(costs))


def parse_grids(text: str) -> list[Grid]:
    """Return the grids of "97x97" or "64x64,128x256". Raises `UsageError` for anything else."""
    return parse_list(text, lambda part: Grid(*parse_size(part, "--n", most=MOST)), "--n")


def _check_width(width: int, *, measure: bool) -> None:
    if not 0 < width < MOST:
        raise UsageError(
            f"--width: {shortened(width)} is not a number of channels; give 1 or more, such as 256"
        )
    if measure and width % HEADS:
        raise UsageError(
            f"--width: {width} cannot be measured with {HEADS} heads; give a multiple of {HEADS},"
            " or leave out --measure"
        )


def _exponents(costs: Sequence[MeasuredCost]) -> Mapping[str, Mapping[str, float | None]]:
    if len(costs) < 2:
        return {}
    from msaf_bench.analyzers.attention.growth import exponents

    return exponents(costs)


def _measured(cost: AttentionCost, on_note: Callable[[str], None]) -> AttentionMeasurement:
    """Count with other counters and time one forward of each transformer.

    Raises `GateError` if torch counts different MACs than the formulas.
    """
    from msaf_bench.analyzers.attention.clock import time_forward
    from msaf_bench.analyzers.attention.transformers import count_all, live_bytes
    from msaf_bench.host import Host

    h, w, d = *cost.grid, cost.width
    on_note(f"{cost.grid}: counting")
    counts = count_all(h, w, d)
    found = counts["torch"].macs
    if found is not None and found != cost.totals:
        raise GateError(
            f"torch counts {found} MAC at {cost.grid}, the formulas give {cost.totals}; a component"
            " and its formula disagree"
        )
    forwards = dict[str, Forward]()
    for name, macs in cost.totals.items():
        on_note(f"{cost.grid}: timing {name}")
        forwards[name] = time_forward(name, h, w, d, macs)
    host = Host.here(threads=max(forward.threads for forward in forwards.values()))
    return AttentionMeasurement(counts, live_bytes(h, w, d), forwards, host)
