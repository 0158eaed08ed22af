"""Charts of the mIoU: in order, as differences, and by class."""

import math

from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from msaf_bench.findings.digits import mean, number, span
from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.wording import RUN_WORDS, TONES, Word
from msaf_bench.report.figures.canvas import (
    BLUE,
    CONTROL,
    GREY,
    INK,
    LOOK,
    MUTED,
    PAPER,
    Chart,
    at_right,
    blank,
    brief,
    by_rows,
    label_rows,
    places,
    point,
    sign,
)
from msaf_bench.report.view import View


def order(view: View) -> Chart:
    """Return the published and measured mIoU of every row, in two panels with an axis each: never
    on one. One panel where nothing is published.

    Controls stand below a line in the measured panel.
    """
    summary = view.summary
    printed = any(row.published is not None for row in summary.rows)
    figure, panels = blank(
        1.9 + by_rows(len(summary.subjects)),
        *((2,) if printed else ()),
        sharey=True,
        **_RATIOS if printed else {},
    )
    right, at = panels[-1], places(summary)
    if printed:
        _published(panels[0], summary)
    right.set_title(f"Measured here: {summary.conditions.data}")
    for y, subject in zip(at, summary.subjects, strict=True):
        _measured(right, y, subject)
    for axes in panels:
        axes.set_xlabel("mIoU (%)", fontsize=10)
        axes.grid(axis="x", lw=0.7)
    label_rows(panels, summary)
    figure.get_layout_engine().set(wspace=0.06)  # pyright: ignore
    note = _constant(right, summary)
    handles = [
        Line2D([], [], marker="o", color=BLUE, ms=8, lw=2.2, label="mean and 95 % interval"),
        Line2D([], [], marker=".", color=GREY, ms=5, lw=0, label="one seed"),
        *(
            [Line2D([], [], marker="D", color=CONTROL, ms=7, lw=2.2, label="control")]
            if summary.controls
            else []
        ),
    ]
    sign(figure, view.signature, handles)
    heads = ("Row", "Published mIoU (%)", "Measured mIoU (%)", "95 % interval", "Seeds")
    published = {row.label: row.published for row in summary.rows}
    lines = tuple(
        (
            s.shown,
            number(published.get(s.label), 1),
            mean(s.interval),
            span(s.interval),
            str(len(s.measured)),
        )
        for s in summary.subjects
    )
    text = (
        "For each row the measured mean mIoU, its 95 % interval and every seed; in a panel of its"
        f" own, left, what is printed. {note}"
    )
    return Chart(
        "miou",
        "Published and measured mIoU" if printed else "Measured mIoU",
        text,
        figure,
        heads,
        lines,
    )


_RATIOS = {"width_ratios": [1, 1.5]}


def _published(axes: Axes, summary: Summary) -> None:
    axes.set_title("Published in the paper", color=MUTED)
    for y, row in enumerate(summary.rows):
        if row.published is not None:
            axes.plot(row.published, y, "o", mfc="none", mec=GREY, mew=1.6, ms=8)
            at_right(axes, y, number(row.published, 1), MUTED)


def _measured(axes: Axes, y: float, subject: Subject) -> None:
    """The mean with its interval, and every seed below; or the state."""
    i = subject.interval
    if i is None:
        state = brief(subject.state)
        axes.text(
            0.02,
            y,
            state,
            transform=axes.get_yaxis_transform(),
            color=MUTED,
            style="italic",
            va="center",
            fontsize=9.5,
        )
        return
    axes.plot(list(subject.measured.values()), [y + 0.24] * i.n, ".", color=GREY, ms=5)
    point(axes, y, i, subject)
    at_right(axes, y, number(i.mean, 1) + (" · 1 seed" if i.n == 1 else ""))


def _constant(axes: Axes, summary: Summary) -> str:
    """Draws the best constant prediction where it is near the rows; says it below the axis in any
    case.
    """
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


def differences(view: View) -> Chart | None:
    """Return each row minus the reference row, paired by seed, with the zero line; colour and
    marker say the verdict.
    """
    summary = view.summary
    gaps = {row.label: row.difference.interval for row in summary.rows if row.difference}
    if not gaps:
        return None
    figure, (axes,) = blank(2.0 + by_rows(len(gaps)))
    reference = summary.table.reference
    shown = {row.label: row.shown for row in summary.rows}
    axes.set_title(f"Measured difference to {shown[reference]}, paired by seed")
    words = _words(summary)
    for y, (label, gap) in enumerate(gaps.items()):
        colour, marker = LOOK[TONES[words[label]]] if words else (BLUE, "o")
        if gap.low is not None and gap.high is not None:
            style = (0, (1, 1)) if words.get(label) == "not comparable" else "-"
            axes.plot(
                [gap.low, gap.high], [y, y], color=colour, lw=2.2, ls=style, solid_capstyle="butt"
            )
        axes.plot(
            gap.mean, y, marker, color=colour, mfc=PAPER if marker == "D" else colour, mew=1.6, ms=8
        )
        at_right(axes, y, number(gap.mean, 1, signed=True))
    axes.axvline(0, color=INK, lw=1.2)
    axes.margins(x=0.06)
    axes.set_yticks(range(len(gaps)), [shown[label] for label in gaps])
    axes.set_ylim(len(gaps) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        f"mIoU of the row minus mIoU of {reference} (points); left of zero: {reference} is better",
        fontsize=10,
    )
    axes.grid(axis="x", lw=0.7)
    occurring = dict.fromkeys(sorted(words.values(), key=RUN_WORDS.index))
    sign(figure, view.signature, [_handle(word) for word in occurring], 4)
    lines = tuple(
        (shown[label], number(gap.mean, signed=True), span(gap, signed=True))
        for label, gap in gaps.items()
    )
    text = (
        f"Mean difference of each row to {reference} over shared seeds with simultaneous 95 %"
        " intervals and a line at zero."
    )
    return Chart(
        "difference",
        f"Differences to {reference}",
        text,
        figure,
        ("Row", "Difference (points)", "95 % interval"),
        lines,
    )


def _handle(word: Word) -> Line2D:
    colour, marker = LOOK[TONES[word]]
    fill = PAPER if marker == "D" else colour
    return Line2D([], [], color=colour, marker=marker, mfc=fill, mew=1.6, ms=8, lw=2.2, label=word)


def _words(summary: Summary) -> dict[str, Word]:
    """Row -> the word that its difference to the reference row is drawn with; none where the paper
    orders no row and all are live.
    """
    reference = summary.table.reference
    said: dict[str, Word] = {
        v.better if v.worse == reference else v.worse: v.word
        for v in summary.verdicts
        if reference in (v.better, v.worse)
    }
    dead: dict[str, Word] = {row.label: "not comparable" for row in summary.rows if row.against}
    rest: dict[str, Word] = {
        row.label: "undecided here"
        for row in summary.rows
        if row.difference and row.label not in said
    }
    return rest | said | dead if said or dead else {}


def classes(view: View) -> Chart | None:
    """Return the IoU of every class in every row as a heat map with the numbers in its cells; a
    dash where the class never occurs.
    """
    rows, names = view.summary.measured, view.summary.class_names
    if not names:
        return None
    figure, (axes,) = blank(2.0 + by_rows(len(rows)))
    values = [row.per_class for row in rows]
    mesh = axes.pcolormesh(values, cmap="cividis", norm=Normalize(0, 100), edgecolors=PAPER, lw=1.5)
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            readable = "#000000" if value > 52 else "#ffffff"
            colour = MUTED if math.isnan(value) else readable
            axes.text(
                x + 0.5,
                y + 0.5,
                number(value, 0),
                ha="center",
                va="center",
                color=colour,
                fontsize=10 if len(names) < 16 else 7.5,
            )
    axes.set_title("IoU by class, mean over seeds (%)")
    axes.set_xticks(
        [x + 0.5 for x in range(len(names))], names, rotation=35, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [row.shown for row in rows])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    bar.set_label("IoU (%)")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    sign(figure, view.signature)
    lines = tuple((row.shown, *(number(value, 1) for value in row.per_class)) for row in rows)
    text = "A heat map of rows and classes; every cell carries its number."
    return Chart("per_class", "IoU by class", text, figure, ("Row", *names), lines)
