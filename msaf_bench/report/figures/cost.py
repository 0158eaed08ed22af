"""The cost of attention over several sizes: growth exponents, a CSV and a log-log figure. Each unit
keeps to rows and axes of its own.
"""

import textwrap
from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msaf_bench.outputs import write_outputs
from msaf_bench.report.backend import UndrawnError, drawn_or_why
from msaf_bench.report.figures.canvas import BLUE, MUTED, ORANGE, PAPER, blank, both_formats, styled
from msaf_bench.report.tables.spreadsheet import csv_document
from msaf_bench.stats.growth import exponent

Document = dict[str, Any]  #: of one size, as `msaf-bench flops --json` prints it

NAMES = {"transformer": "Transformer (joint)", "d_transformer": "D-Transformer"}
#: told apart in grey by dash and marker
LOOKS = {"transformer": (BLUE, "-", "o"), "d_transformer": (ORANGE, "--", "s")}


class Quantity(NamedTuple):
    """One kind of cost and where a document holds it; None there means that it was not measured."""

    key: str
    title: str
    unit: str
    read: Callable[[Document, str], float | None]
    drawn: bool = True  #: whether it has a panel in the figure

    def points(self, documents: Sequence[Document], name: str) -> list[tuple[int, float]]:
        """(n, cost) of one transformer."""
        found = ((d["n"], self.read(d, name)) for d in documents)
        return sorted((n, cost) for n, cost in found if cost is not None)


def _paper(document: Document, name: str) -> float:
    return document["paper"][name]


def _pairs(document: Document, name: str) -> float:
    return document["pairs"][name]


def _exact(document: Document, name: str) -> float:
    return document["exact"][name]["total"]


def _measured(key: str) -> Callable[[Document, str], float | None]:
    def read(document: Document, name: str) -> float | None:
        return document["measured"][name][key] if "measured" in document else None

    return read


def _live(document: Document, name: str) -> float | None:
    return document["live_bytes"][name] if SECONDS.points([document], name) else None


EXACT = Quantity("exact", "Exact count", "MAC", _exact)
SECONDS = Quantity("seconds", "Measured time of a forward", "seconds", _measured("seconds"))
QUANTITIES = (
    Quantity("paper", "The paper's formulas, Eqs. 1 and 8", "relations", _paper),
    Quantity("pairs", "Pairs of tokens", "pairs", _pairs, drawn=False),
    EXACT,
    SECONDS,
    Quantity("live_bytes", "Live activations of a forward, predicted", "bytes", _live, drawn=False),
    Quantity("peak_bytes", "Measured peak memory of a forward", "bytes", _measured("peak_bytes")),
)


def present(documents: Sequence[Document]) -> list[Quantity]:
    """The kinds of cost with at least one value."""
    return [q for q in QUANTITIES if any(q.points(documents, name) for name in NAMES)]


def exponents(documents: Sequence[Document]) -> dict[str, dict[str, float | None]]:
    """For each kind and transformer, a in cost ~ n^a; None for fewer than two sizes. `predicted`:
    of the exact count at the sizes timed.
    """

    def fit(points: Sequence[tuple[int, float]]) -> float | None:
        return exponent([n for n, _ in points], [cost for _, cost in points])

    fits = {
        q.key: {name: fit(q.points(documents, name)) for name in NAMES} for q in present(documents)
    }
    if "seconds" not in fits:
        return fits
    timed = {name: [d for d in documents if SECONDS.read(d, name) is not None] for name in NAMES}
    return fits | {"predicted": {name: fit(EXACT.points(timed[name], name)) for name in NAMES}}


def write(documents: Sequence[Document], folder: Path) -> list[Path]:
    """Writes `cost.csv`, and from two sizes on `cost.svg` and `cost.png`; gives their paths.

    Raises `HostError` where it cannot, `UndrawnError` where only the figure is missing.
    """
    files: dict[str, str | bytes] = {"cost.csv": _csv(documents)}
    drawn, undrawn = drawn_or_why(
        lambda: both_formats(_figure(documents)) if len(documents) > 1 else {}, {}
    )
    files |= {f"cost.{kind}": content for kind, content in drawn.items()}
    paths = write_outputs(folder, files)
    if undrawn:
        raise UndrawnError(undrawn, paths)
    return paths


def _csv(documents: Sequence[Document]) -> str:
    lines: list[tuple[object, ...]] = [("grid", "n", "width", "quantity", "unit", *NAMES)]
    for d in documents:
        head = ("x".join(map(str, d["grid"])), d["n"], d["width"])
        lines += [
            (*head, q.key, q.unit, *(q.read(d, name) for name in NAMES)) for q in present(documents)
        ]
    return csv_document(lines)


def _figure(documents: Sequence[Document]) -> Figure:
    kinds, fits = [q for q in present(documents) if q.drawn], exponents(documents)
    lines = (len(kinds) + 1) // 2
    with styled():
        figure, panels = blank(0.6 + 3.3 * lines, 2, lines)
        for axes, quantity in zip(panels, kinds, strict=False):
            _panel(axes, quantity, documents, fits[quantity.key])
        for axes in panels[len(kinds) :]:
            axes.remove()
        figure.supxlabel(
            textwrap.fill(_caption(documents), 125), x=0.008, ha="left", fontsize=8.5, color=MUTED
        )
    return figure


def _panel(
    axes: Axes, quantity: Quantity, documents: Sequence[Document], fits: dict[str, float | None]
) -> None:
    for name, (colour, dash, marker) in LOOKS.items():
        points = quantity.points(documents, name)
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
        line[0].set_clip_on(False)  # a marker on the frame stays whole
    every = [point for name in NAMES for point in quantity.points(documents, name)]
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
    # Whole decades: a shorter axis would get labels between them, which run into each other.
    low = floor(log10(min(values)))
    return 10.0**low, 10.0 ** max(ceil(log10(max(values))), low + 1)


def _power_of_ten(value: float, position: float | None) -> str:
    # In plain signs: the style keeps $ in a label from being read as mathematics.
    return "10" + str(round(log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _caption(documents: Sequence[Document]) -> str:
    text = f"3 frames, width {documents[0]['width']}. Relations and MAC are different units."
    timed = [
        d["measured"] for d in documents if any(SECONDS.read(d, name) is not None for name in NAMES)
    ]
    if not timed:
        return text
    host = timed[0]["host"]
    threads = f"{host['threads']} thread{'s' * (host['threads'] > 1)}"
    return f"{text} Measured: {timed[0]['timed']}; {host['cpu']}, {threads}, torch {host['torch']}."
