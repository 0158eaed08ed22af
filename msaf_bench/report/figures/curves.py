"""Curves of a table with an axis, one chart per axis."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from msaf_bench.findings.digits import mean, mean_span, p_value, span
from msaf_bench.findings.study import AxisCurves, Curve, PointReading, Study
from msaf_bench.report.figures.canvas import CONTROL, INK, MUTED, PAPER, Chart, blank, sign, styled
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.provenance import Signature, made_how
from msaf_bench.report.tables.curves import legend
from msaf_bench.stats import Interval, judge

# Okabe and Ito's colours, each with a marker; controls share one colour and are dashed.
LOOKS = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "v"),
    ("#56b4e9", "P"),
    ("#e69f00", "X"),
)
CONTROL_MARKERS = ("D", "d", "*", "h")
WIDE = 0.34  #: share of the step between two values for curves side by side


def study_charts(study: Study) -> list[Chart]:
    """Return one chart per axis.

    Each has a panel for the contribution of past frames and one for the gain over a single frame.
    """
    if not any(summary.measured for summary in study.summaries):
        return []
    with styled():
        return [_chart(study, along, i) for i, along in enumerate(study.axes)]


def _looks(curves: Sequence[Curve]) -> dict[str, tuple[str, str, str]]:
    """Return colour, marker and line style by label of the curve."""
    rows = [curve.label for curve in curves if not curve.control]
    controls = [curve.label for curve in curves if curve.control]
    looks = {label: (*LOOKS[i % len(LOOKS)], "-") for i, label in enumerate(rows)}
    return looks | {
        label: (CONTROL, CONTROL_MARKERS[i % len(CONTROL_MARKERS)], "--")
        for i, label in enumerate(controls)
    }


def _chart(study: Study, along: AxisCurves, index: int) -> Chart:
    figure, (left, right) = blank(4.3, 2)
    looks, measured = _looks(along.curves), next(s for s in study.summaries if s.measured)
    for axes, title in (
        (left, "Contribution of past frames"),
        (right, f"Gain over {study.single}"),
    ):
        axes.set_title(title)
        axes.axhline(0, color=INK, lw=1.1)
        axes.set_xticks(
            range(len(along.axis.values)),
            [f"{v:g}" if isinstance(v, float) else str(v) for v in along.axis.values],
        )
        axes.set_xlabel(along.axis.shown, fontsize=10)
        axes.set_ylabel("points of mIoU", fontsize=10, color=MUTED)
        axes.grid(axis="y", lw=0.7)
    for i, curve in enumerate(along.curves):
        shift = WIDE * ((i + 0.5) / len(along.curves) - 0.5)
        _draw(left, curve, [r.past for r in curve.readings], looks[curve.label], shift)
        _draw(
            right,
            curve,
            [r.gain.interval if r.gain else None for r in curve.readings],
            looks[curve.label],
            shift,
        )
    handles = [
        Line2D([], [], color=c, marker=m, ls=ls, ms=7, lw=1.8, label=label)
        for label, (c, m, ls) in looks.items()
    ]
    sign(figure, Signature(made_how(measured), measured.conditions.watermark), handles, 4)
    heads = (
        "Row",
        along.axis.shown,
        "past frames",
        "95 % interval",
        f"gain over {study.single}",
        "95 % interval",
        "p",
        "",
    )
    lines = tuple(_line(curve, reading) for curve in along.curves for reading in curve.readings)
    text = f"Curves over {along.axis.shown}. {' '.join(legend(study))}"
    return Chart(f"axis{index + 1}", f"Over the {along.axis.shown}", text, figure, heads, lines)


def _draw(
    axes: Axes,
    curve: Curve,
    intervals: Sequence[Interval | None],
    look: tuple[str, str, str],
    shift: float,
) -> None:
    colour, marker, line = look
    known = [
        (x + shift, r, i)
        for x, (r, i) in enumerate(zip(curve.readings, intervals, strict=True))
        if i
    ]
    (path,) = axes.plot(
        [x for x, _, _ in known],
        [i.mean for _, _, i in known],
        line,
        color=colour,
        lw=1.4,
        alpha=0.8,
    )
    mark(path, curve.label, curve.label)
    for x, reading, i in known:
        title = f"{curve.label} at {reading.value}: {mean_span(i, signed=True)} points"
        if i.low is not None and i.high is not None:
            (bar,) = axes.plot([x, x], [i.low, i.high], color=colour, lw=1.6, solid_capstyle="butt")
            mark(bar, curve.label, title)
        dot_look: dict[str, object] = {"marker": "x", "ms": 8, "mew": 1.8}
        if not reading.subject.dead:
            apart = judge(i) in ("above", "below")
            dot_look = {"marker": marker, "mfc": colour if apart else PAPER, "mew": 1.5, "ms": 7}
        (dot,) = axes.plot(x, i.mean, color=colour, **dot_look)  # pyright: ignore[reportArgumentType]
        mark(dot, curve.label, title)


def _line(curve: Curve, reading: PointReading) -> tuple[str, ...]:
    gain, past = reading.gain.interval if reading.gain else None, reading.past
    return (
        curve.label,
        str(reading.value),
        mean(past, signed=True),
        span(past, signed=True),
        mean(gain, signed=True),
        span(gain, signed=True),
        p_value(reading.gain.p if reading.gain else None),
        reading.subject.ill,
    )
