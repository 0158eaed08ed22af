"""`msaf-bench flops`: what attention over frames costs, by the paper's formulas, by exact count and by counters."""

import json
import re
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any

import typer

from msaf_bench.analyzers.attention_cost import AttentionCost, Grid, attention_cost
from msaf_bench.errors import GateError, UsageError

COUNTERS = ("torch", "fvcore", "ptflops")
HEADS = 8  #: of the networks that are counted and timed; MACs do not depend on it

FOOTNOTES = """\
Notes on (i), the formulas as printed:
  n     Section 3.3 sets n = C x H x W and calls it the number of pixels; only
        n = H x W gives the formulas a meaning, and is used here.
  Eq. 1 3n tokens have (3n)^2 = 9n^2 pairs, not 3n^3. Against 9n^2 the
        decoupling of three frames saves at most a factor of 3.
  Eq. 7 charges a DCN K^2 n = 9n; it takes 9n d^2 MAC at width d.
  text  The difference grows "linearly": it is cubic, 3n(n^2 - n - 8); the ratio
        grows linearly. "lim ratio = n" is no limit: ratio / n tends to 1.
Notes on (ii): D-Transformer with maps smaller by 4, 2, 1 along each axis, odd
  sizes rounded up; MLP ratio 4. Not counted, as it is elementwise: softmax,
  LayerNorm, GELU, biases, residuals, resizing, the DCN's bilinear reads."""


def flops(
    n: Annotated[str, typer.Option("--n", help="Feature map(s) as HxW, e.g. 97x97 or 64x64,97x97,128x256.")],
    width: Annotated[int, typer.Option(help="Channels of the feature map, for the exact count.")] = 256,
    measure: Annotated[bool, typer.Option("--measure", help="Count with torch, fvcore and ptflops too, and time a forward.")] = False,
    reports: Annotated[Path | None, typer.Option(help="Folder for CSV and figure [several sizes: reports/flops].")] = None,
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
    typer.echo(json.dumps(whole, indent=1, allow_nan=False) if as_json else "\n".join(_text(documents, whole)))


def parse_grids(text: str) -> list[Grid]:
    """The grids of `97x97` or `64x64,128x256`. Raises `UsageError` for anything else; a side has 18 digits at most."""
    grids: list[Grid] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,18})[xX]([0-9]{1,18})", part.strip())
        grid = Grid(*map(int, match.groups())) if match else Grid(0, 0)
        if not grid.pixels:
            raise UsageError(f"--n {shortened(text)}: {shortened(part)} is not a size; write HxW from 1x1 on, as in 97x97 or 64x64,97x97")
        grids.append(grid)
    return grids


def _check_width(width: int, measure: bool) -> None:
    if not 0 < width < 10**18:
        raise UsageError(f"--width: {width} is not a number of channels; give one from 1, as in 256")
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

    size = (*cost.grid, cost.width)
    typer.echo(f"{cost.grid}: counting", err=True)
    counts = count_all(*size)
    found = counts["torch"].macs
    if found is not None and found != cost.totals:
        raise GateError(f"torch counts {found} MAC at {cost.grid}, the formulas give {cost.totals}; a component and its formula disagree")
    forwards: dict[str, Any] = {}
    for name, macs in cost.totals.items():
        typer.echo(f"{cost.grid}: timing {name}", err=True)
        forwards[name] = time_forward(name, *size, macs)._asdict()
    host = Host.here(threads=max(f["threads"] for f in forwards.values()))
    note = "; ".join(f"{name}: {c.reason}" for name, c in counts.items() if c.reason)
    counters = {"unit": "MAC", "analytic": cost.totals, **{name: counts[name].macs for name in COUNTERS}, "note": note}
    timed = "one forward on the CPU, batch 1, fp32, alone in a fresh process"
    return {"counters": counters, "measured": {"timed": timed, **forwards, "host": host.model_dump(mode="json")}}


def _text(documents: list[dict[str, Any]], whole: dict[str, Any]) -> Iterator[str]:
    for d in documents:
        yield from (f"{d['grid'][0]}x{d['grid'][1]} feature map: n = {d['n']:,} pixels, 3 frames, width {d['width']}", "")
        yield from (*_paper(d["paper"]), "", *_exact(d["exact"], d["width"]), "", *_counters(d["counters"]), "")
        if "measured" in d:
            yield from (*_clock(d["measured"]), "")
    yield FOOTNOTES
    if "exponents" in whole:
        yield from ("", "Growth: a in cost ~ n^a, fitted over the sizes", _row("", "Transformer", "D-Transformer"))
        for key, fits in whole["exponents"].items():
            yield _row(GROWTH[key], *("-" if a is None else f"{a:.3f}" for a in fits.values()))
    yield from (f"wrote {path}" for path in whole.get("files", ()))


GROWTH = {
    "paper": "paper, relations",
    "exact": "exact, MAC",
    "seconds": "measured, time",
    "peak_bytes": "measured, memory",
    "predicted": "predicted for time: MAC, same sizes",
}


def _row(label: str, *cells: str) -> str:
    return f"    {label:<36}" + "".join(f"{cell:>20}" for cell in cells)


def _paper(p: dict[str, Any]) -> Iterator[str]:
    ratio = Fraction(p["ratio_exact"])
    yield "(i) The paper's formulas, in relations"
    yield _row("Transformer     Eq. 1   3n^3", f"{p['transformer']:,}")
    yield _row("PST             Eq. 4   3n^2", f"{p['pst']:,}")
    yield _row("ATT             Eq. 7   24n", f"{p['att']:,}")
    yield _row("D-Transformer   Eq. 8   3n^2 + 24n", f"{p['d_transformer']:,}")
    yield _row("difference              Eq. 1 - Eq. 8", f"{p['difference']:,}")
    yield _row("ratio                   Eq. 1 / Eq. 8", _decimal(ratio)) + f"  = {ratio}"
    yield _row("crossover, n            (1+sqrt 33)/2", f"{p['crossover']:.4f}")


def _decimal(ratio: Fraction) -> str:
    """To four decimals, exactly, however large."""
    whole, rest = divmod(round(ratio * 10**4), 10**4)
    return f"{whole:,}.{rest:04}"


def _exact(e: dict[str, Any], width: int) -> Iterator[str]:
    joint, parts = e["transformer"], e["d_transformer"]
    yield f"(ii) Exact count at width {width}, in MAC (1 MAC = 2 FLOPs)"
    yield _row("", "Transformer", "D-Transformer")
    for term, label in TERMS.items():
        # The joint block stands beside PST, the part that takes its place.
        shared = term.removeprefix("pst_")
        yield _row(label, f"{joint[shared]:,}" if shared in joint else "", f"{parts[term]:,}")
    yield _row("total", f"{joint['total']:,}", f"{parts['total']:,}")
    yield _row("ratio", f"{e['ratio']:.4f}")


TERMS = {
    "pst_attention": "joint | PST  attention, QK^T and AV",
    "pst_projections": "             projections",
    "pst_mlp": "             MLP",
    "dcn": "two DCNs     products",
    "dcn_offset": "             offsets",
    "att_attention": "ATT          attention, QK^T and AV",
    "att_projections": "             projections",
    "att_mlp": "             MLP",
}


def _counters(c: dict[str, Any]) -> Iterator[str]:
    yield "(iii) Counters, in MAC"
    yield _row("", "Transformer", "D-Transformer")
    for name in ("analytic", *COUNTERS):
        found = c[name] or {}
        equal = "" if name == "analytic" or not found else "  equal" if found == c["analytic"] else "  differs"
        yield _row(name + equal, *(f"{macs:,}" for macs in found.values())) if found else _row(name, "-", "-")
    yield from textwrap.wrap(c["note"], 76, initial_indent="    ", subsequent_indent="      ")


def _clock(m: dict[str, Any]) -> Iterator[str]:
    host, forwards = m["host"], [m["transformer"], m["d_transformer"]]
    yield f"(iv) Measured: {m['timed']},"
    yield f"     {host['threads']} threads, {host['cpu']}, torch {host['torch']}"
    yield _row("", "Transformer", "D-Transformer")
    runs = max(f["runs"] for f in forwards)
    yield _row(f"time in s, median of {runs}", *("-" if f["seconds"] is None else f"{f['seconds']:.4g}" for f in forwards))
    yield _row("  fastest to slowest", *("-" if f["seconds"] is None else f"{f['fastest']:.4g} to {f['slowest']:.4g}" for f in forwards))
    yield _row("peak memory in MiB, over the weights", *("-" if f["peak_bytes"] is None else f"{f['peak_bytes'] / 2**20:.0f}" for f in forwards))
    for name in ("transformer", "d_transformer"):
        if reason := m[name]["reason"]:
            yield from textwrap.wrap(f"{name} not run: {reason}", 76, initial_indent="    ", subsequent_indent="      ")
