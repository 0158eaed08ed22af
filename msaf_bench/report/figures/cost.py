"""Cost of attention at several sizes as CSV and log-log figure, with one panel per unit."""

import textwrap
from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msaf_bench.analyzers.attention.growth import SECONDS, Quantity, exponents, present
from msaf_bench.analyzers.attention.measurement import TIMED
from msaf_bench.analyzers.attention.study import MeasuredCost
from msaf_bench.outputs import write_outputs
from msaf_bench.report.backend import UndrawnError, drawn_or_why
from msaf_bench.report.figures.canvas import BLUE, MUTED, ORANGE, PAPER, blank, both_formats, styled
from msaf_bench.report.tables.spreadsheet import csv_document

TITLE = "Cost of attention over the size of the feature map"
NAMES = {"transformer": "Transformer (joint)", "d_transformer": "D-Transformer"}
#: dash and marker distinguish the modules in greyscale
LOOKS = {"transformer": (BLUE, "-", "o"), "d_transformer": (ORANGE, "--", "s")}


def write(costs: Sequence[MeasuredCost], folder: Path) -> list[Path]:
    """Write `cost.csv`, and for two or more sizes `cost.svg` and `cost.png`; return their paths.

    Raises `HostError` if the folder cannot be written, `UndrawnError` if only the figure failed.
    """
    files: dict[str, str | bytes] = {"cost.csv": _csv(costs)}
    drawn, undrawn = drawn_or_why(
        lambda: both_formats(_figure(costs), TITLE, _caption(costs)) if len(costs) > 1 else {}, {}
    )
    files |= {f"cost.{kind}": content for kind, content in drawn.items()}
    paths = write_outputs(folder, files)
    if undrawn:
        raise UndrawnError(undrawn, paths)
    return paths


def _csv(costs: Sequence[MeasuredCost]) -> str:
    lines: list[tuple[object, ...]] = [("grid", "n", "width", "quantity", "unit", *NAMES)]
    for cost in costs:
        grid = cost.analytic.grid
        head = (str(grid), grid.pixels, cost.analytic.width)
        lines += [
            (*head, q.key, q.unit, *(q.read(cost, name) for name in NAMES)) for q in present(costs)
        ]
    return csv_document(lines)


def _figure(costs: Sequence[MeasuredCost]) -> Figure:
    kinds, fits = [q for q in present(costs) if q.drawn], exponents(costs)
    lines = (len(kinds) + 1) // 2
    with styled():
        figure, panels = blank(0.6 + 3.3 * lines, 2, lines)
        for axes, quantity in zip(panels, kinds, strict=False):
            _panel(axes, quantity, costs, fits[quantity.key])
        for axes in panels[len(kinds) :]:
            axes.remove()
        figure.supxlabel(
            textwrap.fill(_caption(costs), 125), x=0.008, ha="left", fontsize=8.5, color=MUTED
        )
    return figure


def _panel(
    axes: Axes, quantity: Quantity, costs: Sequence[MeasuredCost], fits: dict[str, float | None]
) -> None:
    for name, (colour, dash, marker) in LOOKS.items():
        points = quantity.points(costs, name)
        a = fits[name]
        label = NAMES[name] + ("" if a is None else f", slope {a:.2f}")
        line = axes.plot(
            [n for n, _ in points],
            [cost for _, cost in points],
            color=colour,
            linestyle=dash,
            marker=marker,
            label=label,
        )
        line[0].set_clip_on(False)  # markers on the frame are drawn whole
    every = [point for name in NAMES for point in quantity.points(costs, name)]
    axes.set(
        xscale="log",
        yscale="log",
        xlim=_decades([n for n, _ in every]),
        ylim=_decades([cost for _, cost in every]),
    )
    axes.set(
        xlabel="n = H W, pixels of the feature map", ylabel=quantity.unit, title=quantity.title
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_power_of_ten)
    axes.grid(True)
    axes.legend(fontsize=9, framealpha=1, facecolor=PAPER, edgecolor="none", loc="best")


def _decades(values: Sequence[float]) -> tuple[float, float]:
    # Whole decades, since a shorter axis would get overlapping labels in between.
    low = floor(log10(min(values)))
    return 10.0**low, 10.0 ** max(ceil(log10(max(values))), low + 1)


def _power_of_ten(value: float, position: float | None) -> str:
    # Plain characters, because the style turns off mathematics in labels.
    return "10" + str(round(log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _caption(costs: Sequence[MeasuredCost]) -> str:
    width = costs[0].analytic.width
    text = f"3 frames, width {width}. Relations and MAC are different units."
    hosts = [
        cost.measured.host
        for cost in costs
        if cost.measured and any(SECONDS.read(cost, name) is not None for name in NAMES)
    ]
    if not hosts:
        return text
    host = hosts[0]
    threads = f"{host.threads} {'threads' if host.threads > 1 else 'thread'}"
    return f"{text} Measured: {TIMED}; {host.cpu}, {threads}, torch {host.torch}."
