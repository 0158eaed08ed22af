"""`msaf-bench flops`: what a system costs, or what attention over frames does, by formula, by exact
count, by counters, by the clock.
"""

from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any

import typer

from msaf_bench.analyzers.attention.claims import claims
from msaf_bench.analyzers.attention.cost import HEADS, AttentionCost, Grid, attention_cost
from msaf_bench.cli.flops_system import as_text as system_text
from msaf_bench.cli.flops_system import system_document
from msaf_bench.cli.flops_text import as_text as attention_text
from msaf_bench.cli.printing import Overwrite, print_document
from msaf_bench.cli.settings import at_most, parse_list, parse_size
from msaf_bench.errors import GateError, HostError, UsageError
from msaf_bench.outputs import check_outputs

DEFAULT = Path("reports/flops")
COUNTERS = ("torch", "fvcore", "ptflops")


def flops(
    n: Annotated[
        str | None,
        typer.Option("--n", help="Feature map(s) as HxW, e.g. 97x97 or 64x64,97x97,128x256."),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(help="With --n: channels of the feature map, for the exact count; 256."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="With --n: count with torch, fvcore, ptflops too, and time a forward."
        ),
    ] = False,
    reports: Annotated[
        Path | None,
        typer.Option(help="With --n: folder for CSV and figure; with several sizes reports/flops."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="A system's name, or a .toml file: its whole cost, in place of --n."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="With --system: the frame as HxW, e.g. 1024x2048.")
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            callback=at_most(65_536, "no labels tell so many apart"),
            help="With --system: number of classes; 19.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="With --system: clip (all frames anew; the default) or stream (one step)."
        ),
    ] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin", help="With --system: module with register(registry); may be repeated."
        ),
    ] = None,
    allow_uncounted: Annotated[
        bool,
        typer.Option(
            "--allow-uncounted",
            help="With --system: list operators that have no formula, and go on.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """What a system costs, or attention over three frames (--n): joint against decoupled (MSAF,
    section 3.3).
    """
    of_n = {"--width": width, "--measure": measure, "--reports": reports}
    of_system = {
        "--size": size,
        "--classes": classes,
        "--mode": mode,
        "--plugin": plugins,
        "--allow-uncounted": allow_uncounted,
    }
    if (n is None) == (system is None):
        raise UsageError(
            "flops needs one of --n HxW, for attention alone, and --system NAME --size HxW, for a"
            " whole network"
        )
    for option, value in (of_system if system is None else of_n).items():
        if value is not None and value is not False:
            raise UsageError(
                f"{option} goes with {'--system' if system is None else '--n'} only; leave it out"
            )
    undrawn: HostError | None = None
    if system is not None:
        if size is None:
            raise UsageError("--system needs --size HxW, e.g. --size 512x1024")
        document = system_document(
            system, size, classes or 19, mode or "clip", plugins, allow_uncounted=allow_uncounted
        )
        lines = system_text(document)
    else:
        documents, document, undrawn = attention_documents(
            n or "", 256 if width is None else width, reports, measure=measure, overwrite=overwrite
        )
        lines = attention_text(documents, document)
    print_document(document, lines, as_json=as_json)
    if undrawn:
        raise undrawn


def attention_documents(
    n: str, width: int, reports: Path | None, *, measure: bool, overwrite: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any], HostError | None]:
    """A document of each size, and the whole for JSON, which for a single size is the same. Writes
    CSV and figure where asked.

    The error is that of a figure that could not be drawn.
    """
    grids = parse_grids(n)
    _check_width(width, measure)
    if reports or len(grids) > 1:
        check_outputs(
            reports or DEFAULT,
            (f"cost.{kind}" for kind in ("csv", "svg", "png")),
            overwrite=overwrite,
        )
    documents = [_document(attention_cost(grid, width), measure) for grid in grids]
    checked = [claim.document() for claim in claims()]
    if len(documents) == 1 and not reports:
        return documents, documents[0] | {"claims": checked}, None
    from msaf_bench.report.backend import UndrawnError
    from msaf_bench.report.figures.cost import exponents, write

    undrawn = None
    try:
        paths = write(documents, reports or DEFAULT)
    except UndrawnError as error:
        paths, undrawn = error.paths, error
    whole = (
        {"sizes": documents, "exponents": exponents(documents)}
        if len(documents) > 1
        else documents[0]
    )
    return documents, whole | {"claims": checked, "files": [str(path) for path in paths]}, undrawn


def parse_grids(text: str) -> list[Grid]:
    """The grids of `97x97` or `64x64,128x256`. Raises `UsageError` for anything else."""
    return parse_list(text, lambda part: Grid(*parse_size(part, "--n", most=10**18)), "--n")


def _check_width(width: int, measure: bool) -> None:
    if not 0 < width < 10**18:
        raise UsageError(
            f"--width: {shortened(width)} is not a number of channels; give one from 1, as in 256"
        )
    if measure and width % HEADS:
        raise UsageError(
            f"--width: {width} cannot be measured with {HEADS} heads; give a multiple of {HEADS},"
            " or leave out --measure"
        )


def _document(cost: AttentionCost, measure: bool) -> dict[str, Any]:
    counters: dict[str, Any] = (
        {"unit": "MAC", "analytic": cost.totals}
        | dict.fromkeys(COUNTERS)
        | {"note": "not run: add --measure"}
    )
    document = cost.document() | {"counters": counters}
    return document | (_measured(cost) if measure else {})


def _measured(cost: AttentionCost) -> dict[str, Any]:
    """The branches of the counters and of the clock. Raises `GateError` if torch counts other MACs
    than the formulas.
    """
    from msaf_bench.analyzers.attention.clock import time_forward
    from msaf_bench.analyzers.attention.counters import count_all, live_bytes
    from msaf_bench.host import Host

    h, w, d = *cost.grid, cost.width
    typer.echo(f"{cost.grid}: counting", err=True)
    counts = count_all(h, w, d)
    found = counts["torch"].macs
    if found is not None and found != cost.totals:
        raise GateError(
            f"torch counts {found} MAC at {cost.grid}, the formulas give {cost.totals}; a component"
            " and its formula disagree"
        )
    forwards: dict[str, Any] = {}
    for name, macs in cost.totals.items():
        typer.echo(f"{cost.grid}: timing {name}", err=True)
        forwards[name] = time_forward(name, h, w, d, macs)._asdict()
    host = Host.here(threads=max(f["threads"] for f in forwards.values()))
    note = "; ".join(f"{name}: {c.reason}" for name, c in counts.items() if c.reason)
    counters = {
        "unit": "MAC",
        "analytic": cost.totals,
        **{name: counts[name].macs for name in COUNTERS},
        "note": note,
    }
    timed = "one forward on the CPU, batch 1, fp32, alone in a fresh process"
    return {
        "counters": counters,
        "live_bytes": live_bytes(h, w, d),
        "measured": {"timed": timed, **forwards, "host": host.model_dump(mode="json")},
    }
