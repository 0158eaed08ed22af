"""Elements of figures with stacked rows: positions, names, points with intervals, numbers."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from msaf_bench.findings.digits import counted
from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.report.figures.canvas import BLUE, CONTROL, INK, MUTED, PAPER, by_rows
from msaf_bench.report.figures.marks import mark
from msaf_bench.stats import Interval

GAP = 0.3  #: space between rows and controls, in rows


def places(rows: int, controls: int) -> list[float]:
    """Return the y of every row, then of every control, with a gap in between."""
    return [*map(float, range(rows)), *(rows + i + GAP for i in range(controls))]


def label_rows(
    panels: Sequence[Axes], rows: Sequence[Subject], controls: Sequence[ControlSummary] = ()
) -> None:
    """Name rows and controls at the left, with a line between the two."""
    at = places(len(rows), len(controls))
    names = [row.shown for row in rows]
    names += [f"{control.shown} ({control.role})" for control in controls]
    panels[0].set_yticks(at, names)
    panels[0].set_ylim(at[-1] + 0.6, -0.6)
    for label, subject in zip(panels[0].get_yticklabels(), (*rows, *controls), strict=True):
        mark(label, subject.label)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        if controls:
            axes.axhline(len(rows) - 0.35, color=MUTED, lw=1)


def height_of(rows: int) -> float:
    """Return the height in inches of a figure with `rows` rows."""
    return 2.0 + by_rows(rows)


def point(axes: Axes, y: float, interval: Interval, subject: Subject, title: str) -> None:
    """Draw a mean with its interval; the marker is hollow if a part is not live.

    Args:
        axes: axes to draw on
        y: position of the row
        interval: mean and bounds
        subject: row or control; controls have a separate colour and marker
        title: hover text
    """
    colour, marker = (CONTROL, "D") if isinstance(subject, ControlSummary) else (BLUE, "o")
    bar(axes, y, interval, colour, subject.label, title)
    (dot,) = axes.plot(
        interval.mean,
        y,
        marker,
        color=colour,
        mfc=PAPER if subject.dead else colour,
        mew=1.6,
        ms=7 if marker == "D" else 8,
    )
    mark(dot, subject.label, title)


def bar(
    axes: Axes,
    y: float,
    interval: Interval,
    colour: str,
    label: str,
    title: str,
    style: str | tuple[float, tuple[float, ...]] = "-",
) -> None:
    """Draw the bounds of an interval; nothing for one without bounds.

    Args:
        axes: axes to draw on
        y: position of the row
        interval: mean and bounds
        colour: colour of the bar
        label: row that the bar belongs to; empty for none
        title: hover text
        style: line style of matplotlib
    """
    if interval.low is not None and interval.high is not None:
        (drawn,) = axes.plot(
            [interval.low, interval.high],
            [y, y],
            color=colour,
            lw=2.2,
            ls=style,
            solid_capstyle="butt",
        )
        mark(drawn, label, title)


def at_right(
    axes: Axes, y: float, text: str, subject: Subject, colour: str = INK, title: str = ""
) -> None:
    """Write a number at the right of its row.

    Args:
        axes: axes to draw on
        y: position of the row
        text: the number
        subject: row or control
        colour: colour of the text
        title: hover text
    """
    number = axes.text(
        1.02, y, text, transform=axes.get_yaxis_transform(), color=colour, va="center", fontsize=10
    )
    mark(number, subject.label, title)


def instead(axes: Axes, x: float, y: float, text: str, subject: Subject) -> None:
    """Write words in place of a point.

    Args:
        axes: axes to draw on
        x: start of the text in data units
        y: position of the row
        text: the words
        subject: row or control
    """
    words = axes.annotate(
        text,
        (x, y),
        (7, 0),
        textcoords="offset points",
        color=MUTED,
        style="italic",
        va="center",
        fontsize=9.5,
    )
    mark(words, subject.label, f"{subject.shown}: {text}")


def point_handles(
    subjects: Iterable[Subject], intervals: Iterable[Interval | None]
) -> list[Line2D]:
    """Return legend entries for the points drawn by `point`; none if all are rows of one seed."""
    drawn = [(s, i) for s, i in zip(subjects, intervals, strict=True) if i]
    said = "mean and 95 % interval" if any(i.low is not None for _, i in drawn) else "one seed"
    handles: list[Line2D] = []
    for kind, colour, marker, label in (
        (False, BLUE, "o", f"row: {said}"),
        (True, CONTROL, "D", "control"),
    ):
        if any(isinstance(subject, ControlSummary) is kind for subject, _ in drawn):
            line = 0 if said == "one seed" else 2.2
            handles.append(Line2D([], [], marker=marker, color=colour, ms=7, lw=line, label=label))
    if any(subject.dead for subject, _ in drawn):
        hollow = Line2D(
            [], [], marker="o", color=BLUE, mfc=PAPER, mew=1.6, ms=8, lw=0,
            label="hollow: a part is not live",
        )  # fmt: skip
        handles.append(hollow)
    return handles if len(handles) > 1 or said != "one seed" else []


def seeds_said(intervals: Iterable[Interval | None]) -> str:
    """Return "10 seeds", "1 seed", or "1 to 10 seeds" if rows differ."""
    counts = sorted({interval.n for interval in intervals if interval})
    if len(counts) < 2:
        return counted(counts[0], "seed") if counts else "no seed"
    return f"{counts[0]} to {counts[-1]} seeds"
