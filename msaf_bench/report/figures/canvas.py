"""The look of every figure: fonts, colours that survive colour blindness and grey, the caption
line, bytes that do not vary.
"""

import io
import math
import textwrap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from msaf_bench.findings.subjects import NOT_LIVE, ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.wording import Tone
from msaf_bench.report.provenance import Signature
from msaf_bench.stats import Interval

# The neutrals are used for nothing else, so that the page can turn them with its light or dark
# theme.
INK, MUTED, GRID, PAPER = "#1f2328", "#59636f", "#d0d7df", "#fefefe"
# Okabe and Ito's palette; each verdict also has its own marker.
BLUE, ORANGE, GREY, PALE = "#0072b2", "#d55e00", "#7f868d", "#b4bcc5"
CONTROL = "#8c5a86"  #: controls, which are ours and never ranked with the paper's rows
LOOK: dict[Tone, tuple[str, str]] = {
    "for": (BLUE, "o"),
    "against": (ORANGE, "s"),
    "equal": (GREY, "o"),
    "open": (GREY, "D"),
    "none": (GREY, "X"),
}
MARK = "#b3541e"  #: of a watermark

STYLE: dict[str, object] = {
    "text.parse_math": False,  # a dollar in a label is a dollar
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
FORMATS = ("svg", "png")
WIDTH = 9.0  #: inches; at 100 % a README column
REASONS = 12  #: parts that are not live, named below a figure
MANY = 16  #: rows above which a figure has less room for each


@contextmanager
def styled() -> Generator[None]:
    """Draw with matplotlib's own defaults and our style, whatever a `matplotlibrc` of the user's or
    the working folder's says.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


@dataclass(frozen=True)
class Chart:
    """A figure with its name, what it says to one who cannot see it, and the numbers in it."""

    name: str
    title: str
    description: str
    figure: Figure
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


def by_rows(rows: int) -> float:
    """Inches of height for so many rows one below the other; many stand closer."""
    return rows * (0.36 if rows <= MANY else 0.25)


def blank(
    height: float, columns: int = 1, lines: int = 1, **how: object
) -> tuple[Figure, Sequence[Axes]]:
    """An empty figure of `height` inches and its axes, line by line. No pyplot: nothing is left
    behind in the process.
    """
    figure = Figure((WIDTH, height), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, **how)  # pyright: ignore
    return figure, list(grid.flat)  # pyright: ignore


def places(summary: Summary) -> list[float]:
    """The height of every row, then of every control, which stand a little apart."""
    rows = len(summary.rows)
    return [*map(float, range(rows)), *(rows + i + 0.3 for i in range(len(summary.controls)))]


def label_rows(panels: Sequence[Axes], summary: Summary) -> None:
    """Name rows and controls at the left, with a line between the two."""
    at, rows = places(summary), len(summary.rows)
    names = [row.shown for row in summary.rows] + [
        f"{control.shown} ({control.role})" for control in summary.controls
    ]
    panels[0].set_yticks(at, names)
    panels[0].set_ylim(at[-1] + 0.6, -0.6)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        if summary.controls:
            axes.axhline(rows - 0.35, color=MUTED, lw=1)


def point(axes: Axes, y: float, interval: Interval, subject: Subject) -> None:
    """A mean with its interval: controls in a colour and with a marker of their own, hollow where a
    part is not live.
    """
    colour, marker = (CONTROL, "D") if isinstance(subject, ControlSummary) else (BLUE, "o")
    if interval.low is not None and interval.high is not None:
        axes.plot(
            [interval.low, interval.high], [y, y], color=colour, lw=2.2, solid_capstyle="butt"
        )
    axes.plot(
        interval.mean,
        y,
        marker,
        color=colour,
        mfc=PAPER if subject.dead else colour,
        mew=1.6,
        ms=7 if marker == "D" else 8,
    )


def at_right(axes: Axes, y: float, text: str, colour: str = INK) -> None:
    """A number beside its row."""
    axes.text(
        1.02, y, text, transform=axes.get_yaxis_transform(), color=colour, va="center", fontsize=10
    )


def log_x(axes: Axes, *subs: float) -> None:
    """A logarithmic x axis whose ticks, at these multiples of the powers of ten, are plain
    numbers.
    """
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def sign(
    figure: Figure, signature: Signature, handles: Sequence[Artist] = (), columns: int = 3
) -> Figure:
    """Return the same figure with a band below it: a legend of `handles`, the line that says how
    the numbers were made; and any watermark.
    """
    made, dead = textwrap.fill(signature.made_how, 125), _faults(signature.faults)
    text = f"{dead}\n{made}" if dead else made
    if dead:  # room of its own
        figure.set_figheight(figure.get_figheight() + 0.15 * (dead.count("\n") + 1))
    height = figure.get_figheight()
    caption = (0.12 + 0.15 * text.count("\n") + 0.15) / height
    above = 0.06 if handles else 0.0
    legend = (0.24 * math.ceil(len(handles) / columns) + above) / height
    space = (0, caption + legend, 1, 1 - caption - legend)
    figure.get_layout_engine().set(rect=space)  # pyright: ignore
    figure.text(0.008, 0.06 / height, text, ha="left", va="bottom", fontsize=8.5, color=MUTED)
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, caption - 0.06 / height),
            ncols=columns,
            frameon=False,
            fontsize=9.5,
            handletextpad=0.5,
        )
    if signature.watermark:
        _stamp(figure, textwrap.fill(signature.watermark, 40))
    return figure


def _stamp(figure: Figure, watermark: str) -> None:
    figure.text(
        0.5,
        0.5,
        watermark,
        fontsize=26,
        color=MARK,
        alpha=0.22,
        ha="center",
        va="center",
        rotation=18,
        weight="bold",
    )


def _faults(reasons: Sequence[str]) -> str:
    """The reasons behind the marks of rows and controls, in lines; of very many the first."""
    if not reasons:
        return ""
    left = len(reasons) - REASONS
    more = f"; and {left} more parts, which the page lists" if left > 0 else ""
    return textwrap.fill(
        f"{NOT_LIVE} not live, so nothing is concluded: {'; '.join(reasons[:REASONS])}{more}", 125
    )


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as "svg" or "png" (150 dpi): the same bytes each time, as no date and no program
    name goes in.
    """
    buffer = io.BytesIO()
    with styled():
        _settle(figure)
        figure.savefig(
            buffer,
            format=kind,
            dpi=150,
            metadata={"Date": None, "Creator": None} if kind == "svg" else {"Software": None},
        )
    return buffer.getvalue()


def both_formats(figure: Figure) -> dict[str, bytes]:
    """Return the figure as SVG and as PNG, by these names in small letters."""
    return {kind: to_bytes(figure, kind) for kind in FORMATS}


class Drawn(NamedTuple):
    """A chart in both formats."""

    chart: Chart
    formats: dict[str, bytes]


def drawn(charts: Sequence[Chart]) -> list[Drawn]:
    """Return every chart with its bytes."""
    return [Drawn(chart, both_formats(chart.figure)) for chart in charts]


def figure_files(name: str, figures: Sequence[Drawn]) -> dict[str, bytes]:
    """Return the files of a report's figures by path, all SVG first."""
    files: dict[str, bytes] = {}
    for kind in FORMATS:
        for figure in figures:
            files[f"figures/{name}_{figure.chart.name}.{kind}"] = figure.formats[kind]
    return files


def _settle(figure: Figure) -> None:
    """Lays the figure out once, for good. The solver's last digits vary from run to run, and SVG
    ids are made from them: they are cut.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (
            round(float(edge), 6) for edge in axes.get_position(original=True).bounds
        )
        axes.set_position((left, bottom, width, height))


def brief(text: str) -> str:
    """The beginning of a text that has to fit beside a row."""
    return text if len(text) < 46 else text[:44] + "…"
