"""The charts of a table: order, differences, classes, training loss."""

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from msaf_bench.report.canvas import BLUE, GREY, INK, LOOK, MANY, MUTED, PALE, PAPER, STYLE, Chart, blank, by_rows, sign
from msaf_bench.report.cells import number, span
from msaf_bench.report.findings import RowSummary, Summary


def charts(summary: Summary) -> list[Chart]:
    """Every chart that the records can fill, signed; none before the first finished trial."""
    if not summary.measured:
        return []
    with mpl.rc_context(STYLE):  # pyright: ignore[reportArgumentType]
        return [chart for draw in (order, differences, classes, losses) if (chart := draw(summary))]


def order(summary: Summary) -> Chart:
    """Published and measured mIoU of every row, in two panels with an axis each: never on one. One panel where nothing is published."""
    printed = any(row.published is not None for row in summary.rows)
    height = 1.9 + by_rows(len(summary.rows))
    figure, panels = blank(height, 2, sharey=True, width_ratios=[1, 1.5]) if printed else blank(height)
    right = panels[-1]
    if printed:
        _published(panels[0], summary)
    right.set_title(f"Measured here: {summary.conditions.data}")
    for y, row in enumerate(summary.rows):
        _measured(right, y, row)
    for axes in panels:
        axes.set_xlabel("mIoU (%)", fontsize=10)
        axes.grid(axis="x", lw=0.7)
        axes.tick_params(axis="y", length=0)
    _rows(panels[0], [row.shown for row in summary.rows])
    figure.get_layout_engine().set(wspace=0.06)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    note = _constant(right, summary)
    handles = [
        Line2D([], [], marker="o", color=BLUE, ms=8, lw=0, label="mean"),
        Line2D([], [], color=BLUE, lw=2.2, label="95 % interval"),
        Line2D([], [], marker=".", color=GREY, ms=5, lw=0, label="one seed"),
    ]
    sign(figure, summary, handles)
    heads = ("Row", "Published mIoU (%)", "Measured mIoU (%)", "95 % interval", "Seeds")
    lines = tuple(
        (r.shown, number(r.published, 1), number(r.interval and r.interval.mean), span(r.interval), str(len(r.measured)))
        for r in summary.rows
    )
    text = f"For each row the measured mean mIoU, its 95 % interval and every seed; in a panel of its own, left, what is printed. {note}"
    return Chart("miou", "Published and measured mIoU" if printed else "Measured mIoU", text, figure, heads, lines)


def _published(axes: Axes, summary: Summary) -> None:
    axes.set_title("Published in the paper", color=MUTED)
    for y, row in enumerate(summary.rows):
        if row.published is not None:
            axes.plot(row.published, y, "o", mfc="none", mec=GREY, mew=1.6, ms=8)
            _beside(axes, y, number(row.published, 1), MUTED)


def _measured(axes: Axes, y: int, row: RowSummary) -> None:
    if row.interval is None:
        axes.text(
            0.02,
            y,
            row.state if len(row.state) < 46 else row.state[:44] + "…",
            transform=axes.get_yaxis_transform(),
            color=MUTED,
            style="italic",
            va="center",
            fontsize=9.5,
        )
        return
    i = row.interval
    if i.low is not None and i.high is not None:
        axes.plot([i.low, i.high], [y, y], color=BLUE, lw=2.2, solid_capstyle="butt")
    axes.plot(list(row.measured.values()), [y + 0.24] * i.n, ".", color=GREY, ms=5)
    axes.plot(i.mean, y, "o", color=BLUE, ms=8)
    _beside(axes, y, number(i.mean, 1) + (" · 1 seed" if i.n == 1 else ""), INK)


def _beside(axes: Axes, y: float, text: str, colour: str) -> None:
    axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), color=colour, va="center", fontsize=10)


def _rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _constant(axes: Axes, summary: Summary) -> str:
    """Draws the best constant prediction where it is near the rows; says it below the axis in any case."""
    if summary.constant is None:
        return ""
    value, (low, high) = summary.constant.miou, axes.get_xlim()
    near = value >= low - 0.6 * (high - low)
    if near:
        axes.axvline(value, color=INK, ls=(0, (4, 3)), lw=1.2)
    where = "dashed" if near else "off the axis, to the left"
    text = f"best constant prediction ({summary.constant.class_name}): {number(value, 1)}, {where}"
    axes.set_xlabel(f"mIoU (%)\n{text}", fontsize=10, linespacing=1.4)
    return f"The {text}."


def differences(summary: Summary) -> Chart | None:
    """Each row minus the reference row, paired by seed, with the zero line; colour and marker say the verdict."""
    gaps = {row.label: row.difference.interval for row in summary.rows if row.difference}
    if not gaps or (not summary.table.base and len(summary.seeds) == 1):
        return None
    figure, (axes,) = blank(2.0 + by_rows(len(gaps)))
    reference = summary.table.reference
    axes.set_title(f"Measured difference to {reference}, paired by seed")
    decisions = {v.better if v.worse == reference else v.worse: v.decision for v in summary.verdicts if reference in (v.better, v.worse)}
    for y, (label, gap) in enumerate(gaps.items()):
        colour, marker = LOOK[decisions.get(label, "undecided")] if decisions else (BLUE, "o")
        if gap.low is not None and gap.high is not None:
            axes.plot([gap.low, gap.high], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot(gap.mean, y, marker, color=colour, mfc=PAPER if marker == "D" else colour, mew=1.6, ms=8)
        _beside(axes, y, number(gap.mean, 1, signed=True), INK)
    axes.axvline(0, color=INK, lw=1.2)
    axes.margins(x=0.06)
    shown = {row.label: row.shown for row in summary.rows}
    _rows(axes, [shown[label] for label in gaps])
    axes.set_xlabel(f"mIoU of the row minus mIoU of {reference} (points); left of zero: {reference} is better", fontsize=10)
    axes.grid(axis="x", lw=0.7)
    handles = [
        Line2D([], [], color=c, marker=m, mfc=PAPER if m == "D" else c, mew=1.6, ms=8, lw=2.2, label=f"paper's order {word}")
        for word, (c, m) in LOOK.items()
    ]
    sign(figure, summary, handles if decisions else ())
    lines = tuple((shown[label], number(gap.mean, signed=True), span(gap, signed=True)) for label, gap in gaps.items())
    text = f"Mean difference of each row to {reference} over shared seeds with 95 % intervals and a line at zero."
    return Chart("difference", f"Differences to {reference}", text, figure, ("Row", "Difference (points)", "95 % interval"), lines)


def classes(summary: Summary) -> Chart | None:
    """IoU of every class in every row as a heat map with the numbers in its cells; a dash where the class never occurs."""
    rows, names = summary.measured, summary.class_names
    if not names:
        return None
    figure, (axes,) = blank(2.0 + by_rows(len(rows)))
    values = [row.per_class for row in rows]
    mesh = axes.pcolormesh(values, cmap="cividis", norm=Normalize(0, 100), edgecolors=PAPER, lw=1.5)
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            colour = MUTED if math.isnan(value) else "#000000" if value > 52 else "#ffffff"
            axes.text(x + 0.5, y + 0.5, number(value, 0), ha="center", va="center", color=colour, fontsize=10 if len(names) < 16 else 7.5)
    axes.set_title("IoU by class, mean over seeds (%)")
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [row.shown for row in rows])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    bar.set_label("IoU (%)")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    sign(figure, summary)
    lines = tuple((row.shown, *(number(value, 1) for value in row.per_class)) for row in rows)
    text = "A heat map of rows and classes; every cell carries its number."
    return Chart("per_class", "IoU by class", text, figure, ("Row", *names), lines)


def losses(summary: Summary) -> Chart | None:
    """Training loss of every row in a small panel of its own, over the others in grey."""
    rows = [row for row in summary.measured if row.loss]
    if not rows:
        return None
    wide = 3 if len(rows) <= MANY else 5
    height = math.ceil(len(rows) / wide)
    figure, panels = blank(1.0 + 4.65 / wide * height, columns=wide, lines=height, sharex=True, sharey=bool(summary.table.base))
    _loss_panels(panels, rows, others=bool(summary.table.base))
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(rows))
        if len(rows) - wide <= index < len(rows):  # the lowest panel of its column
            panel.set_xlabel("step", fontsize=10)
            panel.tick_params(labelbottom=True)
    figure.supylabel("training loss", fontsize=10.5)
    figure.suptitle(
        "Training loss by step, summed over the masks a row supervises, mean over seeds; the other rows in grey"
        if summary.table.base
        else "Training loss by step, mean over seeds; systems have losses of their own, and axes of their own",
        x=0.008,
        ha="left",
        fontsize=11.5,
    )
    sign(figure, summary)
    lines = tuple(
        (row.shown, str(len(row.loss)), number(row.loss[0][1], 3), number(row.loss[-1][1], 3), str(row.loss[-1][0])) for row in rows
    )
    text = "One small panel a row with its mean training loss over steps"
    text += ", on shared axes. A row that supervises more masks sums more losses." if summary.table.base else "."
    return Chart("loss", "Training loss", text, figure, ("Row", "Points", "First loss", "Last loss", "Last step"), lines)


def _loss_panels(panels: Sequence[Axes], rows: list[RowSummary], *, others: bool) -> None:
    values = [value for row in rows for _, value in row.loss if value > 0]
    curves = [tuple(zip(*row.loss, strict=True)) for row in rows]
    for own, (axes, row) in enumerate(zip(panels, rows, strict=False)):
        for curve in curves if others else ():
            axes.plot(*curve, color=PALE, lw=1.0)
        axes.plot(*curves[own], color=BLUE, lw=2.0)
        axes.set_title(row.shown, fontsize=10 if len(rows) <= MANY else 8)
        axes.grid(lw=0.5)
        if others and values and max(values) > 10 * min(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
