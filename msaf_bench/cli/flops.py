"""`msaf-bench flops`: what attention over frames costs, by the paper's formulas, by exact count and by counters."""

import json
import re
from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any

import typer

from msaf_bench.analyzers.attention_cost import HEADS, AttentionCost, Grid, attention_cost
from msaf_bench.cli.flops_text import as_text
from msaf_bench.errors import GateError, UsageError

COUNTERS = ("torch", "fvcore", "ptflops")


def flops(
    n: Annotated[str, typer.Option("--n", help="Feature map(s) as HxW, e.g. 97x97 or 64x64,97x97,128x256.")],
    width: Annotated[int, typer.Option(help="Channels of the feature map, for the exact count.")] = 256,
    measure: Annotated[bool, typer.Option("--measure", help="Count with torch, fvcore and ptflops too, and time a forward.")] = False,
    reports: Annotated[Path | None, typer.Option(help="Folder for CSV and figure; with several sizes reports/flops.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """The cost of attention over three frames: joint against decoupled (MSAF, section 3.3)."""
    grids = parse_grids(n)
    _check_width(width, measure)
    costs = [attention_cost(grid, width) for grid in grids]
    documents = [_document(cost, measure) for cost in costs]
    whole: dict[str, Any] = documents[0]
    folder = reports
    if len(documents) > 1:
        from msaf_bench.report.cost_figure import exponents

        whole = {"sizes": documents, "exponents": exponents(documents)}
        folder = reports or Path("reports/flops")
    if folder:
        from msaf_bench.report.cost_figure import write

        whole["files"] = [str(path) for path in write(documents, folder)]
    typer.echo(json.dumps(whole, indent=1, allow_nan=False) if as_json else "\n".join(as_text(documents, whole)))


def parse_grids(text: str) -> list[Grid]:
    """The grids of `97x97` or `64x64,128x256`. Raises `UsageError` for anything else; a side has 18 digits at most."""
    grids: list[Grid] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,18})[xX]([0-9]{1,18})", part.strip())
        grid = Grid(*map(int, match.groups())) if match else Grid(0, 0)
        if not grid.pixels:
            place = "" if part == text else f" in {shortened(text)}"
            raise UsageError(f"--n: {shortened(part)}{place} is not a size; write HxW from 1x1 on, as in 97x97 or 64x64,97x97")
        grids.append(grid)
    return grids


def _check_width(width: int, measure: bool) -> None:
    if not 0 < width < 10**18:
        raise UsageError(f"--width: {shortened(width)} is not a number of channels; give one from 1, as in 256")
    if measure and width % HEADS:
        raise UsageError(f"--width: {width} cannot be measured with {HEADS} heads; give a multiple of {HEADS}, or leave out --measure")


def _document(cost: AttentionCost, measure: bool) -> dict[str, Any]:
    counters: dict[str, Any] = {"unit": "MAC", "analytic": cost.totals} | dict.fromkeys(COUNTERS) | {"note": "not run: add --measure"}
    document = cost.document() | {"counters": counters}
    return document | (_measured(cost) if measure else {})


def _measured(cost: AttentionCost) -> dict[str, Any]:
    """The branches of the counters and of the clock. Raises `GateError` if torch counts other MACs than the formulas."""
    from msaf_bench.analyzers.attention_counters import count_all
    from msaf_bench.analyzers.attention_time import time_forward
    from msaf_bench.records import Host

    h, w, d = *cost.grid, cost.width
    typer.echo(f"{cost.grid}: counting", err=True)
    counts = count_all(h, w, d)
    found = counts["torch"].macs
    if found is not None and found != cost.totals:
        raise GateError(f"torch counts {found} MAC at {cost.grid}, the formulas give {cost.totals}; a component and its formula disagree")
    forwards: dict[str, Any] = {}
    for name, macs in cost.totals.items():
        typer.echo(f"{cost.grid}: timing {name}", err=True)
        forwards[name] = time_forward(name, h, w, d, macs)._asdict()
    host = Host.here(threads=max(f["threads"] for f in forwards.values()))
    note = "; ".join(f"{name}: {c.reason}" for name, c in counts.items() if c.reason)
    counters = {"unit": "MAC", "analytic": cost.totals, **{name: counts[name].macs for name in COUNTERS}, "note": note}
    timed = "one forward on the CPU, batch 1, fp32, alone in a fresh process"
    return {"counters": counters, "measured": {"timed": timed, **forwards, "host": host.model_dump(mode="json")}}
