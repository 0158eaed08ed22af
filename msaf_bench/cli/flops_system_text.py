"""Terminal output of `msaf-bench flops --system`."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msaf_bench.analyzers.cost.check import Counted
    from msaf_bench.analyzers.cost.counted import CountedCost

NOTES = """\
1 MAC = 2 FLOPs. Elementwise operations are not MACs; these totals exclude them.
Activations: fp32 outputs of operators; views and in-place results count as 0.
"At once" is the peak at any one time, without weights and input. It excludes
the workspace of kernels, and attention stores no map of all pairs."""


def system_lines(found: "CountedCost") -> Iterator[str]:
    """Yield the lines of a system's cost, each of up to 80 columns."""
    from msaf_bench.analyzers.cost.formulas import CONVENTION

    cost, cycle = found.cost, len(found.cost.phases)
    yield _title(found)
    yield from ("", _row("Part", "parameters", "MAC", "%", "elementwise"))
    for name, operators in cost.macs.items():
        params, macs, elementwise = (
            cost.params[name],
            sum(operators.values()),
            cost.elementwise[name],
        )
        if params or macs or elementwise:
            share = _share(macs, cost.total_macs)
            yield _row(name, _n(params), _n(macs), share, _n(elementwise))
    yield _row(
        "total", _n(cost.total_params), _n(cost.total_macs), "100.0", _n(cost.total_elementwise)
    )
    yield from ("", _row("Operator", "", "MAC", "%", ""))
    for kind, macs in cost.by_operator.items():
        if macs:
            yield _row(kind, "", _n(macs), _share(macs, cost.total_macs), "")
    mean = " per frame, mean over the cycle" if cycle > 1 else ""
    yield from ("", f"{found.gmacs:,.2f} GMAC = {found.gflops:,.2f} GFLOPs{mean}")
    if cycle > 1:
        frames = ", ".join(f"{macs / 1e9:,.2f}" for macs in cost.phases)
        yield f"GMAC per frame of the cycle, key frame first: {frames}"
    yield ""
    yield (
        f"Activations {cost.activation_bytes / 2**20:,.1f} MiB in all,"
        f" {cost.live_bytes / 2**20:,.1f} MiB at once"
    )
    yield from ("", *_counters(found.counters), "", *_uncounted(cost.uncounted))
    yield from (f"Not included in any count: {work}" for work in cost.outside)
    yield ""
    yield NOTES
    yield from textwrap.wrap(f"Elementwise, {CONVENTION}.", 80)


def _title(found: "CountedCost") -> str:
    cycle, frames = len(found.cost.phases), found.cost.frames
    step = f"{cycle} steps, a whole cycle" if cycle > 1 else "a step"
    subject = (
        f"a clip of {frames} frames"
        if found.mode == "clip"
        else f"{step} of a stream over {frames} frames"
    )
    height, width = found.size
    return f"{found.name} at {height}x{width}: {found.num_classes} classes, {subject}, batch 1"


def _counters(counters: "Mapping[str, Counted]") -> Iterator[str]:
    yield f"{'Counter':<10}{'at':>12}{'MAC':>22}{'formulas':>22}{'apart':>12}"
    for name in ("torch", "ptflops", "fvcore"):
        c = counters[name]
        place = f"{c.size[0]}x{c.size[1]}"
        if c.macs is None:
            yield from textwrap.wrap(
                f"{name:<10}{place:>12}  none: {c.reason}", 80, subsequent_indent=" " * 24
            )
        else:
            apart = "equal" if c.macs == c.analytic else f"{c.difference:.3%}"
            yield f"{name:<10}{place:>12}{_n(c.macs):>22}{_n(c.analytic):>22}{apart:>12}"


def _uncounted(found: Mapping[str, float]) -> Iterator[str]:
    if not found:
        yield "Uncounted operators: none; every operator has a formula"
        return
    yield "Uncounted operators (no formula), so THE TOTALS MAY BE TOO LOW:"
    yield from (
        f"    {operator:<44} {share:.2%} of all output elements"
        for operator, share in found.items()
    )


def _row(label: str, *cells: str) -> str:
    return f"{label:<20}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, (13, 22, 7, 18), strict=True)
    )


def _n(value: int) -> str:
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}".removesuffix("%") if whole else "-"
