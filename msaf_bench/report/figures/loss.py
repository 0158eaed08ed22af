"""Training loss of every row, a small panel each."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from msaf_bench.findings.digits import number
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.report.figures.canvas import BLUE, MANY, PALE, Chart, blank, sign
from msaf_bench.report.view import View

TITLES = {
    True: (
        "Training loss by step, summed over the masks a row supervises, mean over seeds; the other"
        " rows in grey"
    ),
    False: (
        "Training loss by step, mean over seeds; systems have losses of their own, and axes of"
        " their own"
    ),
}
TEXTS = {
    True: (
        "One small panel a row with its mean training loss over steps, on shared axes. A row that"
        " supervises more masks sums more losses."
    ),
    False: "One small panel a row with its mean training loss over steps.",
}


def losses(view: View, *, comparable: bool) -> Chart | None:
    """Return the training loss of every row in a small panel of its own; `comparable` losses share
    their axes and stand over the others in grey.
    """
    rows = [row for row in view.summary.measured if row.loss]
    if not rows:
        return None
    wide = 3 if len(rows) <= MANY else 5
    height = math.ceil(len(rows) / wide)
    figure, panels = blank(
        1.0 + 4.65 / wide * height, columns=wide, lines=height, sharex=True, sharey=comparable
    )
    _loss_panels(panels, rows, others=comparable)
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(rows))
        if len(rows) - wide <= index < len(rows):  # the lowest panel of its column
            panel.set_xlabel("step", fontsize=10)
            panel.tick_params(labelbottom=True)
    figure.supylabel("training loss", fontsize=10.5)
    figure.suptitle(TITLES[comparable], x=0.008, ha="left", fontsize=11.5)
    sign(figure, view.signature)
    heads = ("Row", "Points", "First loss", "Last loss", "Last step")
    lines = tuple(map(_line, rows))
    return Chart("loss", "Training loss", TEXTS[comparable], figure, heads, lines)


def _line(row: RowSummary) -> tuple[str, ...]:
    (_, first), (step, last) = row.loss[0], row.loss[-1]
    return row.shown, str(len(row.loss)), number(first, 3), number(last, 3), str(step)


def _loss_panels(panels: Sequence[Axes], rows: list[RowSummary], *, others: bool) -> None:
    values = [value for row in rows for _, value in row.loss if value > 0]
    curves = [tuple(zip(*row.loss, strict=True)) for row in rows]
    for own, (axes, row) in enumerate(zip(panels, rows, strict=False)):
        if others:
            for curve in curves:
                axes.plot(*curve, color=PALE, lw=1.0)
        axes.plot(*curves[own], color=BLUE, lw=2.0)
        axes.set_title(row.shown, fontsize=10 if len(rows) <= MANY else 8)
        axes.grid(lw=0.5)
        if others and values and max(values) > 10 * min(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
