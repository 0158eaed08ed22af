"""Legend of the tables of whole systems: origin of each kind of number, and missing numbers."""

from collections.abc import Iterator, Sequence

from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry
from msaf_bench.report.tables.columns import Column, legend


def systems_legend(
    summary: Summary, found: Sequence[Entry], second: Sequence[Column[Subject]]
) -> tuple[str, ...]:
    """Return the legend of both tables.

    It covers groups of columns, single columns, rows in the style of their source, and rows without
    numbers.
    """
    return (
        *_measured(summary, found),
        *_counted(found),
        *_published(summary),
        *legend(summary, second),
        *(
            f"{entry.found.shown}: only in the style of its source: {entry.style.rstrip('.')}."
            for entry in found
            if entry.style
        ),
        *_absent(found),
    )


def _measured(summary: Summary, found: Sequence[Entry]) -> Iterator[str]:
    c = summary.conditions
    network = (
        "of networks that are shrunk for the run"
        if c.shrink or c.shrink_options
        else "of the networks at their published widths"
    )
    seeds = (
        "one seed, so no intervals"
        if len(summary.seeds) == 1
        else "mean over seeds with Student-t intervals"
    )
    at = f"on {c.data} at {c.size[0]}x{c.size[1]}, preset {c.preset}"
    yield f"Measured here: mIoU, TC, FPS, ms and memory {network}, {at}; {seeds}."
    if any(entry.phases for entry in found):
        yield (
            "ms key, ms other: in stream mode, the median latency of the first frame of a system's"
            " cycle (its key frame, if any) and the mean of the other frames' medians; FPS are over"
            " whole cycles."
        )
    timed = [speed for entry in found if (speed := entry.speed("stream"))]
    if kinds := dict.fromkeys(speed.memory.kind for speed in timed if speed.memory):
        yield f"Peak MiB: peak memory in stream mode, {' or '.join(kinds)}."


def _counted(found: Sequence[Entry]) -> Iterator[str]:
    costs = [entry.cost for entry in found if entry.cost]
    if not costs:
        return
    height, width = costs[0].size
    yield (
        "Counted as published: GMAC, parameters and live activations of the systems at their"
        f" published widths on {height}x{width} with {costs[0].num_classes} classes, not of the"
        " networks run here. Training-only parts are left out. GMAC stream: mean over a cycle of"
        " frames."
    )
    if uncounted := dict.fromkeys(what for cost in costs for what in cost.uncounted):
        yield f"+ lower bound; not counted: {'; '.join(uncounted)}."


def _published(summary: Summary) -> Iterator[str]:
    if claims := summary.table.claims():
        made = f" ({summary.table.provenance})" if summary.table.provenance else ""
        dagger = (
            ". † produced otherwise; see the claims"
            if any(claim.dagger for claim in claims)
            else ""
        )
        yield f"Published: {summary.table.source}{made}{dagger}."


def _absent(found: Sequence[Entry]) -> Iterator[str]:
    for entry in found:
        if entry.found.state not in ("done", "only printed"):
            yield f"{entry.found.shown}: {entry.found.state}."
        cost = entry.found.measures.published_cost
        if cost and cost.reason:
            yield f"{entry.found.shown}: not counted: {cost.reason}."
    if silent := [entry.found.label for entry in found if entry.found.state == "only printed"]:
        yield f"Only printed, not run: {', '.join(silent)}."
