"""Charts of the mIoU: rows in order, and differences to the reference row."""

from collections.abc import Iterable
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from msaf_bench.findings.digits import mean, mean_span, number, span
from msaf_bench.findings.subjects import RowSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.wording import Word
from msaf_bench.report.figures.canvas import (
    GREY,
    INK,
    MUTED,
    Chart,
    blank,
    brief,
    sign,
)
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import (
    at_right,
    height_of,
    instead,
    label_rows,
    places,
    point,
    point_handles,
    seeds_said,
)
from msaf_bench.report.figures.verdicts import judged_point, verdict_handles
from msaf_bench.report.view import View

S = TypeVar("S", bound=Subject)
RATIOS = (1.0, 1.5)  #: relative widths of the published and the measured panel
DAGGER = "† produced otherwise than the other numbers of the table"


def order(view: View) -> Chart:
    """Return the published and measured mIoU of every row, best first, in two panels.

    The panels have separate axes of equal scale. Without published numbers there is only the
    measured panel. Controls stand below a line in the measured panel.
    """
    summary = view.summary
    rows, controls = by_miou(summary.rows), by_miou(summary.controls)
    subjects: list[Subject] = [*rows, *controls]
    printed = any(row.published is not None for row in rows)
    how: dict[str, object] = {"sharey": True, "width_ratios": RATIOS} if printed else {}
    figure, panels = blank(height_of(len(subjects)), 2 if printed else 1, 1, **how)
    right = panels[-1]
    for y, subject in zip(places(len(rows), len(controls)), subjects, strict=True):
        _measured(right, y, subject)
    seeds = seeds_said(subject.interval for subject in subjects)
    right.set_title(f"Measured here: {summary.conditions.data}, {seeds}")
    for axes in panels:
        axes.grid(axis="x", lw=0.7)
        axes.margins(x=0.06)
    label_rows(panels, rows, controls)
    notes, constant = _constant(right, summary)
    handles = point_handles(subjects, [subject.interval for subject in subjects])
    if any(len(subject.measured) > 1 for subject in subjects):
        handles.append(Line2D([], [], marker=".", color=GREY, ms=5, lw=0, label="one seed"))
    if printed:
        figure.suptitle("mIoU (%), best measured row first", x=0.008, ha="left", fontsize=11.5)
        figure.get_layout_engine().set(wspace=0.06)  # pyright: ignore
        if _published(panels[0], rows, summary):
            notes.append(f"{DAGGER}.")
        _scale_alike(panels)
    else:
        right.set_xlabel("mIoU (%)", fontsize=10)
    sign(figure, view.signature, [*handles, *constant], notes=notes)
    heads = ("Row", "Published mIoU (%)", "Measured mIoU (%)", "95 % interval", "Seeds")
    published = {row.label: row.published for row in rows}
    lines = tuple(
        (
            s.shown,
            number(published.get(s.label), 1),
            mean(s.interval),
            span(s.interval),
            str(len(s.measured)),
        )
        for s in subjects
    )
    text = "Measured mean mIoU of each row, its 95 % interval and every seed, best first"
    if printed:
        text += "; published mIoU in a separate panel on the left"
    return Chart(
        "miou",
        "Published and measured mIoU" if printed else "Measured mIoU",
        " ".join((f"{text}.", *notes)),
        figure,
        heads,
        lines,
    )


def by_miou(subjects: Iterable[S]) -> list[S]:
    """Return rows or controls by measured mIoU, best first; those without one come last."""

    def key(subject: Subject) -> tuple[bool, float]:
        interval = subject.interval
        return interval is None, -interval.mean if interval else 0.0

    return sorted(subjects, key=key)


def _published(axes: Axes, rows: Iterable[RowSummary], summary: Summary) -> bool:
    """Draw the printed numbers; return whether any has a dagger."""
    axes.set_title("Published in the paper", color=MUTED)
    daggers = {label for label, row in summary.table.rows if "miou" in dict(row.provenance)}
    drawn: set[str] = set()
    for y, row in enumerate(rows):
        if row.published is None:
            continue
        text = number(row.published, 1) + ("†" if row.label in daggers else "")
        (dot,) = axes.plot(row.published, y, "o", mfc="none", mec=GREY, mew=1.6, ms=8)
        title = f"{row.shown}: {text} % published"
        mark(dot, row.label, title)
        at_right(axes, y, text, row, MUTED, title)
        drawn.add(row.label)
    return bool(drawn & daggers)


def _measured(axes: Axes, y: float, subject: Subject) -> None:
    """Draw the mean with its interval and all seeds below, or the state without a result."""
    interval = subject.interval
    if interval is None:
        instead(axes, 0.02, y, brief(subject.state), subject)
        return
    seeds = seeds_said([interval])
    title = f"{subject.shown}: {mean_span(interval)} % measured, {seeds}"
    if interval.n > 1:
        (dots,) = axes.plot(
            list(subject.measured.values()), [y + 0.24] * interval.n, ".", color=GREY, ms=5
        )
        mark(dots, subject.label, title)
    point(axes, y, interval, subject, title)
    at_right(axes, y, number(interval.mean, 1), subject, title=title)


def _scale_alike(panels: Iterable[Axes]) -> None:
    """Give both panels the same number of mIoU points per inch."""
    shares = list(zip(panels, RATIOS, strict=True))
    each = max((axes.get_xlim()[1] - axes.get_xlim()[0]) / ratio for axes, ratio in shares)
    for axes, ratio in shares:
        low, high = axes.get_xlim()
        start = max((low + high - each * ratio) / 2, min(low, 0.0))
        axes.set_xlim(start, start + each * ratio)


def _constant(axes: Axes, summary: Summary) -> tuple[list[str], list[Line2D]]:
    """Draw the best constant prediction if it is near the rows.

    Return its legend entry if it is drawn, and a note otherwise.
    """
    if summary.constant is None:
        return [], []
    value, (low, high) = summary.constant.miou, axes.get_xlim()
    text = f"best constant prediction ({summary.constant.class_name}): {number(value, 1)}"
    if value < low - 0.6 * (high - low):
        return [f"Left of the axis: {text} %."], []
    line = axes.axvline(value, color=INK, ls=(0, (4, 3)), lw=1.2)
    line.set_label(text)
    return [], [line]


def differences(view: View) -> Chart | None:
    """Return each row minus the reference row, paired by seed, with a line at zero.

    Colour and marker show the verdict.
    """
    summary = view.summary
    gaps = {row.label: row.difference.interval for row in summary.rows if row.difference}
    if not gaps:
        return None
    figure, (axes,) = blank(height_of(len(gaps)))
    reference = summary.table.reference
    rows = {row.label: row for row in summary.rows}
    shown = {label: row.shown for label, row in rows.items()}
    axes.set_title(f"Measured difference to {shown[reference]}, paired by seed")
    words = _words(summary)
    for y, (label, gap) in enumerate(gaps.items()):
        title = f"{shown[label]}: {mean_span(gap, signed=True)} points to {shown[reference]}"
        if label in words:
            title += f", {words[label]}"
        judged_point(axes, y, gap, words.get(label, ""), label, title)
        at_right(axes, y, number(gap.mean, 1, signed=True), rows[label], title=title)
    axes.axvline(0, color=INK, lw=1.2)
    axes.margins(x=0.06)
    label_rows([axes], [rows[label] for label in gaps])
    axes.set_xlabel(
        f"mIoU of the row minus mIoU of {reference} (points); left of zero: {reference} is better",
        fontsize=10,
    )
    axes.grid(axis="x", lw=0.7)
    sign(figure, view.signature, verdict_handles(words.values()), 4)
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


def _words(summary: Summary) -> dict[str, Word]:
    """Return the verdict on the difference to the reference row by row label.

    Empty if the paper orders no row and all rows are live.
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
