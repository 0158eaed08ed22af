"""Points whose colour and marker show a verdict, and their legend."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from msaf_bench.findings.wording import RUN_WORDS, TONES
from msaf_bench.report.figures.canvas import BLUE, LOOK, PAPER
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import bar
from msaf_bench.stats import Interval


def judged_point(
    axes: Axes, y: float, interval: Interval, word: str, label: str, title: str
) -> None:
    """Draw a difference with its interval.

    Args:
        axes: axes to draw on
        y: position of the line
        interval: mean and bounds of the difference
        word: verdict; empty if there is none
        label: row that the point belongs to; empty for a comparison of two rows
        title: hover text
    """
    colour, marker = LOOK[TONES[word]] if word else (BLUE, "o")
    style = (0, (1, 1)) if word == "not comparable" else "-"
    bar(axes, y, interval, colour, label, title, style)
    (dot,) = axes.plot(
        interval.mean, y, marker, color=colour, mfc=_fill(colour, marker), mew=1.6, ms=8
    )
    mark(dot, label, title)


def verdict_handles(words: Iterable[str]) -> list[Line2D]:
    """Return a legend entry for each verdict that occurs, in the order of the reports."""
    occurring = set(words)
    return [_handle(word) for word in RUN_WORDS if word in occurring]


def _handle(word: str) -> Line2D:
    colour, marker = LOOK[TONES[word]]
    fill = _fill(colour, marker)
    return Line2D([], [], color=colour, marker=marker, mfc=fill, mew=1.6, ms=8, lw=2.2, label=word)


def _fill(colour: str, marker: str) -> str:
    return PAPER if marker == "D" else colour
