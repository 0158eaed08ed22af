"""Chart of the contribution of past frames for every row and control, with intervals."""

from msaf_bench.findings.digits import mean, mean_span, span
from msaf_bench.findings.subjects import Subject
from msaf_bench.report.figures.canvas import INK, Chart, blank, brief, sign
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
from msaf_bench.report.tables.columns import PAST_LEGEND
from msaf_bench.report.view import View

TITLE = "Contribution of past frames"
NAME = "past"


def past_frames(view: View) -> Chart | None:
    """Return the chart; None if no network was also scored with its newest frame repeated."""
    summary = view.summary
    subjects, pasts = summary.subjects, [s.measures.past for s in summary.subjects]
    if not any(pasts):
        return None
    figure, (axes,) = blank(height_of(len(subjects)))
    axes.set_title(f"{TITLE}, measured here: {summary.conditions.data}, {seeds_said(pasts)}")
    axes.axvline(0, color=INK, lw=1.2)
    at = places(len(summary.rows), len(summary.controls))
    for y, subject, past in zip(at, subjects, pasts, strict=True):
        if past is None:
            instead(axes, 0, y, _absent(subject), subject)
            continue
        said = f"past frames {mean_span(past, signed=True)} points, {seeds_said([past])}"
        title = f"{subject.shown}: {said}"
        point(axes, y, past, subject, title)
        at_right(axes, y, mean(past, signed=True), subject, title=title)
    label_rows([axes], summary.rows, summary.controls)
    axes.set_xlabel(
        "mIoU minus the mIoU with the newest frame repeated (points); right of zero: past frames"
        " help",
        fontsize=10,
    )
    axes.grid(axis="x", lw=0.7)
    axes.margins(x=0.08)
    sign(figure, view.signature, point_handles(subjects, pasts))
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
    return "single frame" if subject.measured else brief(subject.state)
