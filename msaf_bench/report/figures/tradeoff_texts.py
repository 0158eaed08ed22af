"""Texts of a trade-off: names and titles of its points, axes, notes and numbers."""

from collections.abc import Sequence

from msaf_bench.claims.paper import printed
from msaf_bench.findings.digits import NONE, counted, number
from msaf_bench.findings.tradeoffs import SPLITS, Tradeoff, TradeoffPoint

TITLES = {"speed": "Accuracy against speed", "consistency": "Accuracy against consistency"}
AXES = {"fps": "printed frames per second", "tc": "printed TC (%)"}


def axis_label(tradeoff: Tradeoff) -> str:
    """Return the axis label of the measured number, with its conditions."""
    timed = (point.entry.speed("stream") for point in tradeoff.measured)
    speed = next((found for found in timed if found), None)
    if tradeoff.name != "speed" or speed is None:
        return f"{tradeoff.axis} (%), higher is steadier"
    c = speed.conditions
    size = f"{c.size[0]}\N{MULTIPLICATION SIGN}{c.size[1]}"
    where = counted(c.threads, "thread") if c.device == "cpu" else speed.host.device
    return f"frames per second, {size}, {where}, streaming; higher is faster"


def point_name(point: TradeoffPoint, tradeoff: Tradeoff) -> str:
    """Return the label of a point, with a dagger or a star if its numbers have a caveat.

    A dagger marks a printed number produced otherwise, a star a time that is not ranked.
    """
    entry = point.entry
    if point in tradeoff.printed:
        mark = "†" if entry.daggers & {tradeoff.metric, tradeoff.split} else ""
    else:
        mark = "" if point.ranked or entry.found.dead else "*"
    return entry.found.shown + mark


def point_title(point: TradeoffPoint, tradeoff: Tradeoff) -> str:
    """Return the hover text of a point: its name and its two numbers."""
    if point in tradeoff.printed:
        miou, x = _printed_cells(point, tradeoff)
        return f"{point_name(point, tradeoff)}: mIoU {miou} %, {AXES[tradeoff.metric]} {x}"
    miou, x, _ = _measured_cells(point)
    front = ", on the Pareto front" if point.front else ""
    return f"{point_name(point, tradeoff)}: mIoU {miou} %, {tradeoff.axis} {x}{front}"


def with_notes(axis: str, points: Sequence[TradeoffPoint], tradeoff: Tradeoff) -> str:
    """Return an axis label with the meaning of the marks at labels."""
    ends = {point_name(point, tradeoff)[-1] for point in points}
    notes = {
        "*": "* not ranked: times vary too much, or output differs from fp32",
        "†": "† produced otherwise than the table states",
    }
    return "\n".join([axis, *(note for sign, note in notes.items() if sign in ends)])


def description(tradeoff: Tradeoff) -> str:
    """Return a description of the figure for screen readers."""
    front = (
        ", ".join(point.entry.found.shown for point in tradeoff.front)
        or "none, because no time may be ranked"
    )
    apart = (
        " A separate panel shows the printed numbers, without a front."
        if len(tradeoff.printed) > 1
        else ""
    )
    return f"One point per system; no system measured here beats these in both: {front}.{apart}"


def table_of(tradeoff: Tradeoff) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return heads and lines of a table with the numbers of the figure."""
    heads = (
        "System",
        "mIoU",
        tradeoff.axis,
        "on the front",
        f"published mIoU {SPLITS[tradeoff.split]}",
        f"published {tradeoff.metric}",
    )
    measured = {point.entry.found.label: point for point in tradeoff.measured}
    published = {point.entry.found.label: point for point in tradeoff.printed}
    shown = {
        point.entry.found.label: point.entry.found.shown
        for point in (*tradeoff.measured, *tradeoff.printed)
    }
    lines: list[tuple[str, ...]] = []
    for label, name in shown.items():
        own = _measured_cells(measured.get(label))
        lines.append((name, *own, *_printed_cells(published.get(label), tradeoff)))
    return heads, tuple(lines)


def _measured_cells(point: TradeoffPoint | None) -> tuple[str, str, str]:
    if point is None:
        return NONE, NONE, ""
    return number(point.miou), number(point.x, 1), "yes" if point.front else ""


def _printed_cells(point: TradeoffPoint | None, tradeoff: Tradeoff) -> tuple[str, str]:
    if point is None:
        return NONE, NONE
    return printed("miou", point.miou), printed(tradeoff.metric, point.x)
