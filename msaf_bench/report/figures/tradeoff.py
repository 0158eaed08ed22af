"""Accuracy against speed and against consistency: one panel of what was measured, with its Pareto
front, and one of what is printed.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from msaf_bench.claims.paper import printed
from msaf_bench.findings.digits import NONE, number
from msaf_bench.findings.subjects import IN_STYLE
from msaf_bench.findings.tradeoffs import SPLITS, Tradeoff, TradeoffPoint
from msaf_bench.report.figures.canvas import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    Chart,
    blank,
    log_x,
    sign,
)
from msaf_bench.report.figures.placement import place
from msaf_bench.report.view import View

# Okabe and Ito's, as light as each other on white and on black, so the markers tell them apart in
# grey.
LOOKS = ((BLUE, "o"), (ORANGE, "s"), ("#cc79a7", "^"), ("#009e73", "D"), (GREY, "v"))
TITLES = {"speed": "Accuracy against speed", "consistency": "Accuracy against consistency"}
AXES = {"fps": "printed FPS", "tc": "printed TC (%)"}
SIZE = 7.5  #: of a label, in points


def tradeoff_chart(view: View, tradeoff: Tradeoff) -> Chart:
    """Return the chart of one trade-off, with a panel for the printed numbers if there are two."""
    blocks = list(
        dict.fromkeys(point.entry.block for point in (*tradeoff.measured, *tradeoff.printed))
    )
    looks = {block: LOOKS[i % len(LOOKS)] for i, block in enumerate(blocks)}
    two = len(tradeoff.printed) > 1
    figure, panels = blank(10.6 if two else 6.2, lines=2 if two else 1)
    _measured(panels[0], tradeoff, looks)
    if two:
        _printed(panels[1], tradeoff, looks)
    handles = _handles(tradeoff, looks)
    sign(figure, view.signature, handles, len(handles))
    _label(figure, panels[0], tradeoff.measured, tradeoff)
    if two:
        _label(figure, panels[1], tradeoff.printed, tradeoff)
    return Chart(
        f"tradeoff_{tradeoff.name}",
        TITLES[tradeoff.name],
        _describe(tradeoff),
        figure,
        *_numbers(tradeoff),
    )


def _measured(axes: Axes, tradeoff: Tradeoff, looks: Mapping[str, tuple[str, str]]) -> None:
    speed = tradeoff.name == "speed"
    axes.set_title(f"{TITLES[tradeoff.name]}, measured here")
    _points(axes, tradeoff.measured, looks)
    axis = (
        f"{tradeoff.axis}, higher is faster"
        if speed
        else f"{tradeoff.axis} (%), higher is steadier"
    )
    axes.set_xlabel(_noted(axis, tradeoff.measured, tradeoff), fontsize=10)
    axes.set_ylabel("mIoU (%)", fontsize=10)
    _scale(axes, log=speed)
    if tradeoff.front:
        axes.plot(*_steps(axes, tradeoff), color=INK, lw=1.2, zorder=1, scalex=False, scaley=False)


def _steps(axes: Axes, tradeoff: Tradeoff) -> tuple[list[float], list[float]]:
    """The corners of the front: the most mIoU of the systems that have at least so much of the
    other number.
    """
    front = sorted((point.x, point.miou) for point in tradeoff.front)
    (left, _), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    xs, ys = [left], [front[0][1]]
    for (x, y), below in zip(front, [*(y for _, y in front[1:]), bottom], strict=True):
        xs += [x, x]
        ys += [y, below]
    return xs, ys


def _printed(axes: Axes, tradeoff: Tradeoff, looks: Mapping[str, tuple[str, str]]) -> None:
    what = (
        ": other data, and hardware that differs from row to row"
        if tradeoff.name == "speed"
        else ": other data"
    )
    axes.set_title(f"Published in the paper{what}", color=MUTED)
    _points(axes, tradeoff.printed, looks)
    axes.set_xlabel(_noted(AXES[tradeoff.metric], tradeoff.printed, tradeoff), fontsize=10)
    axes.set_ylabel(f"printed mIoU of {SPLITS[tradeoff.split]} (%)", fontsize=10)
    _scale(axes, log=tradeoff.name == "speed")
    axes.tick_params(colors=MUTED)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)


def _points(
    axes: Axes, points: Sequence[TradeoffPoint], looks: Mapping[str, tuple[str, str]]
) -> None:
    for point in points:
        colour, marker = looks[point.entry.block]
        interval = point.entry.found.interval if point.ranked else None
        if interval and interval.low is not None and interval.high is not None:
            axes.plot(
                [point.x, point.x],
                [interval.low, interval.high],
                color=colour,
                lw=1,
                alpha=0.5,
                zorder=2,
            )
        axes.plot(
            point.x,
            point.miou,
            marker,
            color=colour,
            mfc=PAPER if point.entry.style else colour,
            mew=1.5,
            ms=6.5,
            zorder=3,
        )


def _scale(axes: Axes, *, log: bool) -> None:
    axes.margins(x=0.09, y=0.12)
    axes.grid(lw=0.6)
    axes.tick_params(labelsize=9)
    if log:
        log_x(axes, 1, 2, 5)
    axes.autoscale_view()


def _label(figure: Figure, axes: Axes, points: Sequence[TradeoffPoint], tradeoff: Tradeoff) -> None:
    """Names the points, those on the front in ink; a thin line leads to a label that had to move
    away.
    """
    figure.draw_without_rendering()  # settles where the axes lie
    scale = 72 / figure.dpi
    at = axes.transData.transform([(point.x, point.miou) for point in points]) * scale
    line = (
        axes.transData.transform(np.stack(_steps(axes, tradeoff), 1)) * scale
        if points is tradeoff.measured and tradeoff.front
        else None
    )
    obstacles = at if line is None else np.vstack([at, _along(line)])
    box = axes.get_window_extent()
    texts = [_name(point, tradeoff) for point in points]
    sizes = np.array(
        [TextPath((0, 0), text, size=SIZE).get_extents().size for text in texts]
    ) + np.array([1.0, 2.5])
    frame = [edge * scale for edge in (box.x0, box.y0, box.x1, box.y1)]
    for point, text, here, centre in zip(
        points, texts, at, place(obstacles, sizes, frame), strict=True
    ):
        note = axes.annotate(
            text,
            (point.x, point.miou),
            xytext=(round(float(centre[0] - here[0]), 3), round(float(centre[1] - here[1]), 3)),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SIZE,
            color=INK if point.front else MUTED,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkA": 0, "shrinkB": 4},
            zorder=2,
        )
        note.set_in_layout(False)


def _along(corners: NDArray[np.float64], every: float = 9.0) -> NDArray[np.float64]:
    """Points on a line through the corners (M, 2), so close that no label fits between them."""
    steps = [max(2, int(np.hypot(*(end - start)) / every)) for start, end in pairwise(corners)]
    parts: list[NDArray[np.float64]] = [
        np.linspace(corners[i], corners[i + 1], count) for i, count in enumerate(steps)
    ]
    return np.vstack(parts)


def _name(point: TradeoffPoint, tradeoff: Tradeoff) -> str:
    """Its label, with what speaks against its numbers: a dagger at a printed one, a star at a time
    that takes no rank.
    """
    entry = point.entry
    if point in tradeoff.printed:
        mark = "†" if entry.daggers & {tradeoff.metric, tradeoff.split} else ""
    else:
        mark = "" if point.ranked or entry.found.dead else "*"
    return entry.found.shown + mark


def _handles(tradeoff: Tradeoff, looks: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=c, marker=m, lw=0, ms=7, label=block)
        for block, (c, m) in looks.items()
        if block
    ]
    if any(point.entry.style for point in (*tradeoff.measured, *tradeoff.printed)):
        handles.append(
            Line2D(
                [],
                [],
                color=MUTED,
                marker="o",
                mfc=PAPER,
                mew=1.5,
                lw=0,
                ms=7,
                label=f"hollow, {IN_STYLE}: in its source's style",
            )
        )
    return [*handles, Line2D([], [], color=INK, lw=1.2, label="Pareto front")]


def _noted(axis: str, points: Sequence[TradeoffPoint], tradeoff: Tradeoff) -> str:
    """An axis label with what the mark at labels means."""
    ends = {_name(point, tradeoff)[-1] for point in points}
    notes = {
        "*": "* its times differ too much, or its output: it takes no rank",
        "†": "† made otherwise than the table says",
    }
    return "\n".join([axis, *(note for sign, note in notes.items() if sign in ends)])


def _describe(tradeoff: Tradeoff) -> str:
    front = (
        ", ".join(point.entry.found.shown for point in tradeoff.front)
        or "none, as no time may be ranked"
    )
    apart = (
        " In a panel of its own: what the paper prints, without a front."
        if len(tradeoff.printed) > 1
        else ""
    )
    return f"One point a system; nothing measured here beats these in both numbers: {front}.{apart}"


def _numbers(tradeoff: Tradeoff) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Heads and lines of the numbers in the figure."""
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
