"""Look of all figures: fonts, colours safe for colour blindness, captions, reproducible bytes."""

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
from matplotlib.ticker import FixedLocator, NullLocator

from msaf_bench.findings.subjects import NOT_LIVE
from msaf_bench.findings.wording import Tone
from msaf_bench.report.figures.marks import named_svg
from msaf_bench.report.provenance import Signature

# The page replaces these neutral colours by those of its theme, so nothing else may use them.
INK, MUTED, GRID, PAPER = "#1f2328", "#59636f", "#d0d7df", "#fefefe"
# Okabe and Ito's palette; each verdict also has its own marker.
BLUE, ORANGE, GREY, PALE = "#0072b2", "#d55e00", "#7f868d", "#b4bcc5"
CONTROL = "#8c5a86"  #: controls, which are never ranked with the paper's rows
LOOK: dict[Tone, tuple[str, str]] = {
    "for": (BLUE, "o"),
    "against": (ORANGE, "s"),
    "equal": (GREY, "o"),
    "open": (GREY, "D"),
    "none": (GREY, "X"),
}
MARK = "#b3541e"  #: watermark

STYLE: dict[str, object] = {
    "text.parse_math": False,  # a dollar sign in a label is printed
    "svg.hashsalt": "msaf-bench",
    "svg.fonttype": "none",  # keeps text as text
    "font.family": ["sans-serif"],
    # The first font draws the PNGs and is at least as wide as the others, which may show SVGs.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Segoe UI", "Helvetica Neue", "Arial"],
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
WIDTH = 9.0  #: inches; a column of the README at 100 %
EDGE = 0.008  #: free share of the width on both sides
REASONS = 12  #: most parts that are named below a figure as not live
WHITE_FROM = 71  #: percent of "Blues" above which white text is more legible than black
MANY = 16  #: number of rows above which rows stand closer


#: allowed ticks as multiples of powers of ten, finest first
ROUND = (
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
    (1, 1.5, 2, 3, 4, 5, 7),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)


@contextmanager
def styled() -> Generator[None]:
    """Draw with matplotlib's defaults and our style, ignoring any `matplotlibrc`."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


@dataclass(frozen=True)
class Chart:
    """A figure with its name, a description for screen readers, and its numbers as a table."""

    name: str
    title: str
    description: str
    figure: Figure
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


def by_rows(rows: int) -> float:
    """Return the height in inches for stacked rows; many rows stand closer."""
    return rows * (0.36 if rows <= MANY else 0.25)


def blank(
    height: float, columns: int = 1, lines: int = 1, **how: object
) -> tuple[Figure, Sequence[Axes]]:
    """Return an empty figure of `height` inches and its axes, line by line.

    It does not use pyplot, which would keep the figure in memory.
    """
    figure = Figure((WIDTH, height), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, **how)  # pyright: ignore
    return figure, list(grid.flat)  # pyright: ignore


def log_x(axes: Axes, most: int) -> None:
    """Set a logarithmic x axis with at most `most` ticks, at round numbers spread evenly."""
    axes.set_xscale("log")
    axes.autoscale_view()
    low, high = axes.get_xlim()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside = [
        [tick for p in powers for tick in (step * 10.0**p for step in steps) if low <= tick <= high]
        for steps in ROUND
    ]
    ticks = next((found for found in inside if len(found) <= most), inside[-1])
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def name_columns(axes: Axes, names: Sequence[str], room: float) -> None:
    """Name the columns of a heat map with cells `room` inches wide, rotated if names do not fit."""
    size = 10 if len(names) < MANY else 8.5
    longest = max((len(name) for name in names), default=0)
    fits = 0.009 * size * longest < room  # width of an average letter in inches
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, rotation=0 if fits else 90)
    axes.tick_params(axis="x", labelsize=size)


def on_blue(percent: float) -> str:
    """Return the text colour for a cell of a "Blues" heat map; muted for NaN."""
    if math.isnan(percent):
        return MUTED
    return "#ffffff" if percent > WHITE_FROM else "#000000"


def sign(
    figure: Figure,
    signature: Signature,
    handles: Sequence[Artist] = (),
    columns: int = 3,
    notes: Sequence[str] = (),
) -> Figure:
    """Add a band below the figure and any watermark; return the figure.

    Args:
        figure: changed in place
        signature: origin of the numbers, watermark, and faults of parts
        handles: entries of the legend
        columns: number of columns of the legend
        notes: lines above the origin of the numbers
    """
    said = (*notes, _faults(signature.faults), signature.made_how)
    text = "\n".join(textwrap.fill(line, 125) for line in said if line)
    more = text.count("\n") - textwrap.fill(signature.made_how, 125).count("\n")
    figure.set_figheight(figure.get_figheight() + 0.15 * more)  # keeps the axes' size
    height = figure.get_figheight()
    caption = (0.12 + 0.15 * text.count("\n") + 0.15) / height
    above = 0.06 if handles else 0.0
    legend = (0.24 * math.ceil(len(handles) / columns) + above) / height
    space = (EDGE, caption + legend, 1 - 2 * EDGE, 1 - caption - legend)
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
    """Return the reasons for the marks of rows and controls, up to `REASONS`."""
    if not reasons:
        return ""
    left = len(reasons) - REASONS
    more = f"; and {left} more parts listed on the page" if left > 0 else ""
    return f"{NOT_LIVE} not live, so no conclusion is drawn: {'; '.join(reasons[:REASONS])}{more}"


def to_bytes(figure: Figure, kind: str, title: str = "", description: str = "") -> bytes:
    """Return the figure as "svg" or "png" (150 dpi), with reproducible bytes.

    Date and program name are left out.

    Args:
        figure: the figure
        kind: "svg" or "png"
        title: title in an SVG, for screen readers
        description: description in an SVG, for screen readers
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
    if kind == "svg":
        return named_svg(buffer.getvalue().decode(), title, description).encode()
    return buffer.getvalue()


def both_formats(figure: Figure, title: str, description: str) -> dict[str, bytes]:
    """Return the figure by format, "svg" and "png"."""
    return {kind: to_bytes(figure, kind, title, description) for kind in FORMATS}


class Drawn(NamedTuple):
    """A chart in both formats."""

    chart: Chart
    formats: dict[str, bytes]


def drawn(charts: Sequence[Chart]) -> list[Drawn]:
    """Return all charts with their bytes."""
    return [
        Drawn(chart, both_formats(chart.figure, chart.title, chart.description)) for chart in charts
    ]


def figure_files(name: str, figures: Sequence[Drawn]) -> dict[str, bytes]:
    """Return the figure files of a report by path, SVG first."""
    files: dict[str, bytes] = {}
    for kind in FORMATS:
        for figure in figures:
            files[f"figures/{name}_{figure.chart.name}.{kind}"] = figure.formats[kind]
    return files


def _settle(figure: Figure) -> None:
    """Fix the layout of the figure, with rounded positions.

    The last digits of the layout solver vary between runs, and the ids in an SVG depend on them.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (
            round(float(edge), 6) for edge in axes.get_position(original=True).bounds
        )
        axes.set_position((left, bottom, width, height))


def brief(text: str) -> str:
    """Return a text shortened to fit beside a row."""
    return text if len(text) < 46 else text[:44] + "…"
