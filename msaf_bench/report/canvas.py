"""The look of every figure: fonts, colours that survive colour blindness and grey, the caption line, bytes that do not vary."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msaf_bench.report.cells import made_how
from msaf_bench.report.findings import Summary

# The neutrals are used for nothing else, so that the page can turn them with its light or dark theme.
INK, MUTED, GRID, PAPER = "#1f2328", "#59636f", "#d0d7df", "#fefefe"
# Okabe and Ito's palette; each verdict also has its own marker.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#7f868d"
LOOK = {"reproduced": (BLUE, "o"), "contradicted": (ORANGE, "s"), "undecided": (GREY, "D")}
MARK = "#b3541e"  #: of a watermark

STYLE: dict[str, object] = {
    "svg.hashsalt": "msaf-bench",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}
WIDTH = 9.0  #: inches; at 100 % a README column


@dataclass(frozen=True)
class Chart:
    """A figure with its name, what it says to one who cannot see it, and the numbers in it."""

    name: str
    title: str
    description: str
    figure: Figure
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


def blank(height: float, columns: int = 1, lines: int = 1, **how: object) -> tuple[Figure, Sequence[Axes]]:
    """An empty figure of `height` inches and its axes, line by line. No pyplot: nothing is left behind in the process."""
    figure = Figure((WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(lines, columns, squeeze=False, **how).flat)  # pyright: ignore[reportArgumentType, reportCallIssue]


def sign(figure: Figure, summary: Summary) -> Figure:
    """The same figure with the line that says how its numbers were made, and the watermark where there is one."""
    text = textwrap.fill(made_how(summary), 125)
    figure.supxlabel(text, x=0.008, ha="left", fontsize=8.5, color=MUTED)
    if summary.conditions.watermark:
        mark = textwrap.fill(summary.conditions.watermark, 40)
        figure.text(0.5, 0.5, mark, fontsize=26, color=MARK, alpha=0.22, ha="center", va="center", rotation=18, weight="bold")
    return figure


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as "svg" or "png" (150 dpi): the same bytes each time, as no date and no program name goes in."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):  # pyright: ignore[reportArgumentType]
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None, "Creator": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()
