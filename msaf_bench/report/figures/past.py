"""Contribution of past frames of every row and control: points with intervals, and a line at
zero.
"""

from matplotlib.lines import Line2D

from msaf_bench.findings.digits import mean, span
from msaf_bench.findings.subjects import Subject
from msaf_bench.report.figures.canvas import (
    BLUE,
    CONTROL,
    INK,
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
from msaf_bench.report.tables.columns import PAST_LEGEND
from msaf_bench.report.view import View

TITLE = "Contribution of past frames"
NAME = "past"


def past_frames(view: View) -> Chart | None:
    """Return the chart; None where no network was also scored with its newest frame repeated."""
    summary = view.summary
    if not any(subject.measures.past for subject in summary.subjects):
        return None
    figure, (axes,) = blank(2.0 + by_rows(len(summary.subjects)))
    axes.set_title(f"{TITLE}, measured here: {summary.conditions.data}")
    axes.axvline(0, color=INK, lw=1.2)
    for y, subject in zip(places(summary), summary.subjects, strict=True):
        if past := subject.measures.past:
            point(axes, y, past, subject)
            one = " · 1 seed" if past.n == 1 else ""
            at_right(axes, y, mean(past, signed=True) + one)
        else:
            axes.annotate(
                _absent(subject),
                (0, y),
                (7, 0),
                textcoords="offset points",
                color=MUTED,
                style="italic",
                va="center",
                fontsize=9.5,
            )
    label_rows([axes], summary)
    axes.set_xlabel(
        "mIoU minus the mIoU with the newest frame repeated (points); right of zero: past frames"
        " help",
        fontsize=10,
    )
    axes.grid(axis="x", lw=0.7)
    axes.margins(x=0.08)
    handles = [
        Line2D([], [], marker="o", color=BLUE, ms=8, lw=2.2, label="row: mean and 95 % interval")
    ]
    if summary.controls:
        handles.append(Line2D([], [], marker="D", color=CONTROL, ms=7, lw=2.2, label="control"))
    if summary.not_live:
        handles.append(
            Line2D(
                [],
                [],
                marker="o",
                color=BLUE,
                mfc=PAPER,
                mew=1.6,
                ms=8,
                lw=0,
                label="hollow: a part is not live",
            )
        )
    sign(figure, view.signature, handles)
    lines = tuple(
        (
            s.shown,
            mean(s.measures.past, signed=True),
            span(s.measures.past, signed=True),
        )
        for s in summary.subjects
    )
    return Chart(
        NAME, TITLE, PAST_LEGEND, figure, ("Row", "Contribution (points)", "95 % interval"), lines
    )


def _absent(subject: Subject) -> str:
    return "reads one frame" if subject.measured else brief(subject.state)
