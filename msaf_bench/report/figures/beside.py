"""Chart of consistency, MACs and latency of every row, one panel each."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from msaf_bench.findings.digits import NONE, mean_span, number
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.report.figures.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PAPER,
    Chart,
    blank,
    log_x,
    sign,
)
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import height_of, label_rows
from msaf_bench.report.view import View
from msaf_bench.spec import MODES, Mode

Draw = Callable[[Axes, Sequence[RowSummary]], None]


class Look(NamedTuple):
    """Look of the points of a mode."""

    colour: str
    marker: str
    fill: str
    meaning: str


MODE_LOOKS: dict[Mode, Look] = {
    "stream": Look(BLUE, "o", BLUE, "newest frame only"),
    "clip": Look(ORANGE, "s", PAPER, "all frames of the window"),
}


def beside(view: View, *, log: bool) -> Chart | None:
    """Return one panel per recorded measurement, with rows in the table's order; None without any.

    `log` gives MACs and latency a logarithmic axis, for rows that differ by orders of magnitude.
    """
    rows = view.summary.measured
    panels = _panels(rows, log=log)
    if not panels:
        return None
    figure, axes = blank(height_of(len(rows)), len(panels), sharey=True)
    for panel, (title, unit, draw) in zip(axes, panels, strict=True):
        panel.margins(x=0.12)
        draw(panel, rows)
        panel.set_title(title, fontsize=10.5)
        panel.set_xlabel(unit, fontsize=9.5)
        panel.grid(axis="x", lw=0.7)
        panel.tick_params(axis="x", labelsize=9)
    label_rows(axes, rows)
    sign(figure, view.signature, _handles(rows))
    heads = ("Row", *(column.head for column in view.columns))
    lines = tuple((row.shown, *(column.text(row) for column in view.columns)) for row in rows)
    text = (
        "Separate panels with one point per row, or per row and mode; temporal consistency has 95 %"
        " intervals over seeds."
    )
    return Chart("beside", "Consistency, cost and speed", text, figure, heads, lines)


def _handles(rows: Sequence[RowSummary]) -> list[Line2D]:
    """Return the legend entries of the drawn points."""
    spreads = [c.interval for row in rows for c in row.measures.consistency if c.interval]
    handles: list[Line2D] = []
    if any(interval.low is not None for interval in spreads):
        handles.append(Line2D([], [], color=INK, lw=2, label="95 % interval"))
    if any(row.measures.cost or row.measures.speeds for row in rows):
        handles += map(_handle, MODE_LOOKS)
    return handles


def _handle(mode: Mode) -> Line2D:
    look = MODE_LOOKS[mode]
    return Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        mfc=look.fill,
        lw=0,
        ms=7,
        label=f"{mode}: {look.meaning}",
    )


def _panels(rows: Sequence[RowSummary], *, log: bool) -> list[tuple[str, str, Draw]]:
    found: list[tuple[str, str, Draw]] = []
    if consistent := next(
        (row.measures.consistency for row in rows if row.measures.consistency), ()
    ):
        preset, truth = consistent[0].preset, dict(consistent[0].controls).get("truth")
        unit = "%, higher is steadier"
        if truth is not None:
            unit += f"\ndashed: ground truth, {number(truth, 1)}"
        found.append((f"TC {preset}", unit, partial(_consistency, preset=preset, truth=truth)))
    if any(row.measures.cost for row in rows):
        found.append(
            ("MACs per result", "GMAC", partial(_modes, value=_gmac, unit="GMAC", log=log))
        )
    if any(row.measures.speeds for row in rows):
        found.append(("Latency, median", "ms", partial(_modes, value=_ms, unit="ms", log=log)))
    return found


def _gmac(row: RowSummary, mode: str) -> float | None:
    macs = row.measures.macs(mode)
    return None if macs is None else macs / 1e9


def _ms(row: RowSummary, mode: str) -> float | None:
    speed = row.measures.speed(mode)
    return speed.latency.p50.value if speed and speed.latency else None


def _consistency(axes: Axes, rows: Sequence[RowSummary], preset: str, truth: float | None) -> None:
    if truth is not None:
        axes.axvline(truth, color=INK, ls=(0, (4, 3)), lw=1.2)
    axes.locator_params(axis="x", nbins=4)
    for y, row in enumerate(rows):
        found = (c.interval for c in row.measures.consistency if c.preset == preset)
        interval = next(found, None)
        if interval is None:
            axes.text(0.04, y, NONE, transform=axes.get_yaxis_transform(), color=GREY, va="center")
            continue
        title = f"{row.shown}: TC {preset} {mean_span(interval)} %"
        if interval.low is not None and interval.high is not None:
            (bar,) = axes.plot(
                [interval.low, interval.high], [y, y], color=INK, lw=2, solid_capstyle="butt"
            )
            mark(bar, row.label, title)
        (dot,) = axes.plot(interval.mean, y, "o", color=INK, ms=6)
        mark(dot, row.label, title)


def _modes(
    axes: Axes,
    rows: Sequence[RowSummary],
    value: Callable[[RowSummary, str], float | None],
    *,
    unit: str,
    log: bool,
) -> None:
    """Draw one point per mode, on an axis from 0 or on a logarithmic axis."""
    for y, row in enumerate(rows):
        for mode in MODES:
            found, look = value(row, mode), MODE_LOOKS[mode]
            if found is None:
                continue
            (dot,) = axes.plot(
                found, y, look.marker, color=look.colour, mfc=look.fill, mew=1.5, ms=7
            )
            mark(dot, row.label, f"{row.shown}, {mode}: {found:.3g} {unit}")
    if log:
        log_x(axes, 5)
    else:
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=4)
