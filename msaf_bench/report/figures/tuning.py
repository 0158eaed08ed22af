"""Chart of rows before and after tuning, with the expected best of fewer attempts."""

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from msaf_bench.findings.digits import mean_span
from msaf_bench.findings.tuning import RowTuning
from msaf_bench.report.figures.canvas import BLUE, GREY, PALE, Chart, blank, sign
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import height_of, label_rows
from msaf_bench.report.tables.tuning import TITLE
from msaf_bench.report.view import View

NAME = "tuning"
DESCRIPTION = (
    "Left: mean mIoU of every row with default and with tuned values. Right: expected best mIoU of"
    " 1, 2, ... attempts on the part of the training split that the search scores."
)


def tuning_chart(view: View) -> Chart | None:
    """Return the chart; None without tuning."""
    if view.tuning is None:
        return None
    rows = view.tuning.tuning.rows
    subjects = [row.tuned for row in rows]
    figure, (left, right) = blank(height_of(len(rows)) + 0.4, 2, width_ratios=(3, 2))
    left.set_title(f"{TITLE}, measured here")
    for y, row in enumerate(rows):
        _pair(left, y, row)
    label_rows([left], subjects)
    left.set_xlabel("mIoU (%), mean over seeds", fontsize=10)
    left.grid(axis="x", lw=0.7)
    left.margins(x=0.08)
    right.set_title("Expected best by number of attempts")
    reference = view.summary.table.reference
    for row in rows:
        if not row.expected:
            continue
        first = row.tuned.label == reference
        (line,) = right.plot(
            range(1, len(row.expected) + 1),
            row.expected,
            color=BLUE if first else PALE,
            lw=2.4 if first else 1.3,
            marker="o",
            ms=4 if first else 2.5,
            zorder=3 if first else 2,
        )
        mark(line, row.tuned.label, f"{row.tuned.shown}: {row.expected[-1]:.1f} at the end")
    right.set_xlabel("attempts", fontsize=10)
    right.set_ylabel("mIoU (%), tuning part", fontsize=10)
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.grid(lw=0.7)
    handles = [
        Line2D([], [], marker="o", color=GREY, lw=0, ms=7, label="default"),
        Line2D([], [], marker="o", color=BLUE, lw=0, ms=7, label="tuned"),
        Line2D([], [], color=BLUE, lw=2.4, label=reference),
        Line2D([], [], color=PALE, lw=1.3, label="other rows"),
    ]
    sign(figure, view.signature, handles, 4)
    lines = tuple(
        (row.tuned.shown, mean_span(row.default.interval), mean_span(row.tuned.interval))
        for row in rows
    )
    return Chart(NAME, TITLE, DESCRIPTION, figure, ("Row", "default", "tuned"), lines)


def _pair(axes: Axes, y: float, row: RowTuning) -> None:
    before, after = row.default.interval, row.tuned.interval
    if before and after:
        (bar,) = axes.plot([before.mean, after.mean], [y, y], color=PALE, lw=2)
        mark(bar, row.tuned.label)
    for interval, colour, what in ((before, GREY, "default"), (after, BLUE, "tuned")):
        if interval:
            (dot,) = axes.plot(interval.mean, y, "o", color=colour, ms=8)
            mark(dot, row.tuned.label, f"{row.tuned.shown}, {what}: {mean_span(interval)}")
