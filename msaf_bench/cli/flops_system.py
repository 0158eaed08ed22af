"""`msaf-bench flops --system`: the document of one system's cost, and its text for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from msaf_bench.cli.settings import parse_size

NOTES = """\
1 MAC = 2 FLOPs. Elementwise operations are no MACs and are not in these totals.
Activations: fp32 outputs of operators; views and in-place results take nothing.
"At once" is the most that exists at one time, beside weights and input; what a
kernel needs for itself is not in it, and attention holds no map of all pairs."""


def system_document(
    name: str,
    size: str,
    classes: int,
    mode: str,
    plugins: Iterable[str] | None,
    *,
    allow_uncounted: bool,
) -> dict[str, Any]:
    """All of one system's cost, for JSON. Raises `UsageError` for bad input, `GateError` where a
    count is not to be trusted.
    """
    grid = parse_size(size)
    from msaf_bench.analyzers.cost.check import check_counts, check_known, count_system
    from msaf_bench.analyzers.cost.formulas import CONVENTION
    from msaf_bench.analyzers.cost.system import system_cost
    from msaf_bench.catalog import read_system
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.foreign import to_stderr

    system, names = read_system(name), use_plugins(plugins)
    with to_stderr():
        cost = system_cost(system, classes, grid, mode=mode, plugins=names)
        if not allow_uncounted:
            check_known(cost)
        typer.echo(f"{system.name}: counting with torch, ptflops and fvcore", err=True)
        counted = count_system(system, classes, grid, mode, cost, plugins=names)
        check_counts(system, classes, mode, counted, plugins=names)
    return {
        "system": system.name,
        "size": list(grid),
        "classes": classes,
        "mode": mode,
        "frames": cost.frames,
        "cycle": len(cost.phases),
        "params": cost.total_params,
        "gmacs": cost.total_macs / len(cost.phases) / 1e9,
        "gflops": 2 * cost.total_macs / len(cost.phases) / 1e9,
        "frame_macs": list(cost.phases),
        "macs": cost.total_macs,
        "operators": cost.by_operator,
        "parts": {
            part: {
                "params": cost.params[part],
                "macs": sum(macs.values()),
                "elementwise": cost.elementwise[part],
                "operators": macs,
            }
            for part, macs in cost.macs.items()
        },
        "elementwise": {"operations": sum(cost.elementwise.values()), "convention": CONVENTION},
        "activations": {
            "bytes": cost.activation_bytes,
            "live_bytes": cost.live_bytes,
            "dtype": "float32",
            "batch": 1,
        },
        "counters": {
            "unit": "MAC",
            "analytic": cost.total_macs,
            **{name: {**c._asdict(), "difference": c.difference} for name, c in counted.items()},
        },
        "uncounted": [
            {"operator": op, "share_of_output": share} for op, share in cost.uncounted.items()
        ],
        "outside": list(cost.outside),
    }


def as_text(d: dict[str, Any]) -> Iterator[str]:
    """Lines of up to 80 columns."""
    step = f"{d['cycle']} steps, a whole cycle" if d["cycle"] > 1 else "a step"
    what = (
        f"a clip of {d['frames']} frames"
        if d["mode"] == "clip"
        else f"{step} of a stream over {d['frames']} frames"
    )
    yield f"{d['system']} at {d['size'][0]}x{d['size'][1]}: {d['classes']} classes, {what}, batch 1"
    yield from ("", _row("Part", "parameters", "MAC", "%", "elementwise"))
    for name, part in d["parts"].items():
        if any(part[key] for key in ("params", "macs", "elementwise")):
            yield _row(
                name,
                _n(part["params"]),
                _n(part["macs"]),
                _share(part["macs"], d["macs"]),
                _n(part["elementwise"]),
            )
    yield _row("total", _n(d["params"]), _n(d["macs"]), "100.0", _n(d["elementwise"]["operations"]))
    yield from ("", _row("Operator", "", "MAC", "%", ""))
    for kind, macs in d["operators"].items():
        if macs:
            yield _row(kind, "", _n(macs), _share(macs, d["macs"]), "")
    yield from (
        "",
        f"{d['gmacs']:,.2f} GMAC = {d['gflops']:,.2f} GFLOPs"
        + " a frame, mean over the cycle" * (d["cycle"] > 1),
    )
    if d["cycle"] > 1:
        yield (
            "GMAC of its frames, the key frame first:"
            f" {', '.join(f'{macs / 1e9:,.2f}' for macs in d['frame_macs'])}"
        )
    yield ""
    memory = d["activations"]
    yield (
        f"Activations {memory['bytes'] / 2**20:,.1f} MiB in all,"
        f" {memory['live_bytes'] / 2**20:,.1f} MiB at once"
    )
    yield from ("", *_counters(d["counters"]), "", *_uncounted(d["uncounted"]))
    yield from (f"Outside of all counts: {what}" for what in d["outside"])
    yield ""
    yield NOTES
    yield from textwrap.wrap(f"Elementwise, {d['elementwise']['convention']}.", 80)


def _counters(counters: dict[str, Any]) -> Iterator[str]:
    yield f"{'Counter':<10}{'at':>12}{'MAC':>22}{'formulas':>22}{'apart':>12}"
    for name in ("torch", "ptflops", "fvcore"):
        c = counters[name]
        place = f"{c['size'][0]}x{c['size'][1]}"
        if c["macs"] is None:
            yield from textwrap.wrap(
                f"{name:<10}{place:>12}  none: {c['reason']}", 80, subsequent_indent=" " * 24
            )
        else:
            apart = "equal" if c["macs"] == c["analytic"] else f"{c['difference']:.3%}"
            yield f"{name:<10}{place:>12}{_n(c['macs']):>22}{_n(c['analytic']):>22}{apart:>12}"


def _uncounted(found: list[dict[str, Any]]) -> Iterator[str]:
    if not found:
        yield "Uncounted: no operator; there is a formula for each"
        return
    yield "Uncounted: no formula for these operators, so THE TOTALS MAY BE TOO LOW"
    yield from (
        f"    {u['operator']:<44} {u['share_of_output']:.2%} of all output elements" for u in found
    )


def _row(label: str, *cells: str) -> str:
    return f"{label:<20}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, (13, 22, 7, 18), strict=True)
    )


def _n(value: int) -> str:
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}".removesuffix("%") if whole else "-"
