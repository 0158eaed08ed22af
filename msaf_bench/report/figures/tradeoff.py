"""Charts of accuracy against speed and consistency: measured with Pareto front, and printed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from msaf_bench.findings.subjects import IN_STYLE
from msaf_bench.findings.tradeoffs import SPLITS, Tradeoff, TradeoffPoint
from msaf_bench.report.figures.canvas import (
    BLUE,
    GREY,
    INK,
    MUTED,
    PAPER,
    Chart,
    blank,
    log_x,
    sign,
)
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.placement import place
from msaf_bench.report.figures.tradeoff_texts import (
    AXES,
    TITLES,
    axis_label,
    description,
    point_name,
    point_title,
    table_of,
    with_notes,
)
from msaf_bench.report.view import View

MARKERS = ("o", "s", "^", "D", "v")  #: one per block of the printed table
SIZE = 7.5  #: font size of labels in points


class PointLook(NamedTuple):
    """Look of the points: the colour shows the family, the marker the block in the paper."""

    markers: Mapping[str, str]  #: markers by block of the printed table
    subject: str  #: highlighted family or row
    own: frozenset[str]  #: labels of the highlighted rows


def tradeoff_chart(view: View, tradeoff: Tradeoff) -> Chart:
    """Return the chart of one trade-off; two or more printed points get a second panel."""
    look = _look(view, tradeoff)
    two = len(tradeoff.printed) > 1
    figure, panels = blank(10.6 if two else 6.2, lines=2 if two else 1)
    _measured(panels[0], tradeoff, look)
    if two:
        _printed(panels[1], tradeoff, look)
    sign(figure, view.signature, _handles(tradeoff, look))
    _label(figure, panels[0], tradeoff.measured, tradeoff, look)
    if two:
        _label(figure, panels[1], tradeoff.printed, tradeoff, look)
    return Chart(
        f"tradeoff_{tradeoff.name}",
        TITLES[tradeoff.name],
        description(tradeoff),
        figure,
        *table_of(tradeoff),
    )


def _look(view: View, tradeoff: Tradeoff) -> PointLook:
    """Return the look; it highlights the reference row's family, or that row without a family."""
    table = view.summary.table
    models = {label: row.model for label, row in table.rows}
    family = models.get(table.reference, "")
    own = [label for label, model in models.items() if family and model == family]
    points = (*tradeoff.measured, *tradeoff.printed)
    blocks = dict.fromkeys(point.entry.block for point in points)
    return PointLook(
        {block: MARKERS[i % len(MARKERS)] for i, block in enumerate(blocks)},
        family or table.reference,
        frozenset(own or [table.reference]),
    )


def _measured(axes: Axes, tradeoff: Tradeoff, look: PointLook) -> None:
    axes.set_title(f"{TITLES[tradeoff.name]}, measured here")
    _points(axes, tradeoff.measured, tradeoff, look)
    axes.set_xlabel(with_notes(axis_label(tradeoff), tradeoff.measured, tradeoff), fontsize=10)
    axes.set_ylabel("mIoU (%)", fontsize=10)
    _scale(axes, log=tradeoff.name == "speed")
    if tradeoff.front:
        axes.plot(*_steps(axes, tradeoff), color=INK, lw=1.2, zorder=1, scalex=False, scaley=False)


def _steps(axes: Axes, tradeoff: Tradeoff) -> tuple[list[float], list[float]]:
    """Return the corners of the Pareto front as a staircase, x and y."""
    front = sorted((point.x, point.miou) for point in tradeoff.front)
    (left, _), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    xs, ys = [left], [front[0][1]]
    for (x, y), below in zip(front, [*(y for _, y in front[1:]), bottom], strict=True):
        xs += [x, x]
        ys += [y, below]
    return xs, ys


def _printed(axes: Axes, tradeoff: Tradeoff, look: PointLook) -> None:
    what = (
        ": other data, and hardware that differs between rows"
        if tradeoff.name == "speed"
        else ": other data"
    )
    axes.set_title(f"Published in the paper{what}", color=MUTED)
    _points(axes, tradeoff.printed, tradeoff, look)
    axes.set_xlabel(with_notes(AXES[tradeoff.metric], tradeoff.printed, tradeoff), fontsize=10)
    axes.set_ylabel(f"printed mIoU of {SPLITS[tradeoff.split]} (%)", fontsize=10)
    _scale(axes, log=tradeoff.name == "speed")
    axes.tick_params(colors=MUTED)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)


def _points(
    axes: Axes, points: Sequence[TradeoffPoint], tradeoff: Tradeoff, look: PointLook
) -> None:
    for point in points:
        label, title = point.entry.found.label, point_title(point, tradeoff)
        own = label in look.own
        colour = BLUE if own else GREY
        if bounds := _spread(point):
            (bar,) = axes.plot(
                [point.x, point.x], bounds, color=colour, lw=0.8, alpha=0.45,
                zorder=2,
            )  # fmt: skip
            mark(bar, label, title)
        (dot,) = axes.plot(
            point.x,
            point.miou,
            look.markers[point.entry.block],
            color=colour,
            mfc=PAPER if point.entry.style else colour,
            mew=1.5,
            ms=8 if own else 6,
            zorder=4 if own else 3,
        )
        mark(dot, label, title)


def _spread(point: TradeoffPoint) -> tuple[float, float] | None:
    """Return the bounds of a ranked point's mIoU; None without an interval."""
    interval = point.entry.found.interval if point.ranked else None
    if interval is None or interval.low is None or interval.high is None:
        return None
    return interval.low, interval.high


def _scale(axes: Axes, *, log: bool) -> None:
    axes.margins(x=0.09, y=0.12)
    axes.grid(lw=0.6)
    axes.tick_params(labelsize=9)
    if log:
        log_x(axes, 9)
    axes.autoscale_view()


def _label(
    figure: Figure, axes: Axes, points: Sequence[TradeoffPoint], tradeoff: Tradeoff, look: PointLook
) -> None:
    """Name the points: highlighted ones in bold, those on the front in ink.

    A thin line connects a point to a label that had to move away.
    """
    figure.draw_without_rendering()  # fixes the position of the axes
    scale = 72 / figure.dpi
    at = axes.transData.transform([(point.x, point.miou) for point in points]) * scale
    box = axes.get_window_extent()
    texts = [point_name(point, tradeoff) for point in points]
    weights = ["bold" if point.entry.found.label in look.own else "normal" for point in points]
    sizes = np.array(
        [
            TextPath((0, 0), text, size=SIZE, prop=FontProperties(weight=weight)).get_extents().size
            for text, weight in zip(texts, weights, strict=True)
        ]
    ) + np.array([5.0, 2.5])
    frame = [edge * scale for edge in (box.x0, box.y0, box.x1, box.y1)]
    centres = place(at, sizes, frame, _obstacles(axes, points, tradeoff) * scale)
    for point, text, weight, here, centre in zip(points, texts, weights, at, centres, strict=True):
        note = axes.annotate(
            text,
            (point.x, point.miou),
            xytext=(round(float(centre[0] - here[0]), 3), round(float(centre[1] - here[1]), 3)),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SIZE,
            weight=weight,
            color=INK if point.front or weight == "bold" else MUTED,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkA": 0, "shrinkB": 4},
            zorder=5,
        )
        note.set_in_layout(False)
        mark(note, point.entry.found.label, point_title(point, tradeoff))


def _obstacles(
    axes: Axes, points: Sequence[TradeoffPoint], tradeoff: Tradeoff
) -> NDArray[np.float64]:
    """Return boxes around intervals and any drawn front, (M, 4) in pixels."""
    lines = [
        ((point.x, bounds[0]), (point.x, bounds[1]))
        for point in points
        if (bounds := _spread(point))
    ]
    if points is tradeoff.measured and tradeoff.front:
        lines += pairwise(zip(*_steps(axes, tradeoff), strict=True))
    ends = axes.transData.transform(np.array(lines, np.float64).reshape(-1, 2)).reshape(-1, 2, 2)
    return np.hstack([ends.min(1) - 3, ends.max(1) + 3])


def _handles(tradeoff: Tradeoff, look: PointLook) -> list[Line2D]:
    points = (*tradeoff.measured, *tradeoff.printed)
    handles = [Line2D([], [], color=BLUE, marker="o", lw=0, ms=8, label=f"{look.subject}, in blue")]
    handles += [
        Line2D([], [], color=GREY, marker=marker, lw=0, ms=7, label=f"the paper's block: {block}")
        for block, marker in look.markers.items()
        if block
    ]
    if any(point.entry.style for point in points):
        label = f"hollow, {IN_STYLE}: in the style of its source"
        handles.append(
            Line2D([], [], color=GREY, marker="o", mfc=PAPER, mew=1.5, lw=0, ms=7, label=label)
        )
    if any(map(_spread, points)):
        handles.append(Line2D([], [], color=GREY, lw=0.8, label="95 % interval of the mIoU"))
    if tradeoff.front:
        handles.append(Line2D([], [], color=INK, lw=1.2, label="Pareto front"))
    return handles
