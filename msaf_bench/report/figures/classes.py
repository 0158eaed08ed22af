"""Heat map of the IoU of every class in every row, with numbers in its cells."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from msaf_bench.findings.digits import number
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.report.figures.canvas import (
    PAPER,
    WIDTH,
    Chart,
    blank,
    name_columns,
    on_blue,
    sign,
)
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.figures.rows import height_of, label_rows, seeds_said
from msaf_bench.report.view import View

LEAST = 0.5  #: percent; classes below it in every row are only named below the figure
NAMES = 1.9  #: approximate width of the row names in inches


def classes(view: View) -> Chart | None:
    """Return the heat map, with a dash for classes that never occur; None without class names.

    Classes that no row finds are named below it.
    """
    rows, names = view.summary.measured, view.summary.class_names
    if not names:
        return None
    best = [np.nanmax([0.0, *(row.per_class[i] for row in rows)]) for i in range(len(names))]
    # at least one column
    found = [i for i, value in enumerate(best) if value >= LEAST] or [int(np.argmax(best))]
    lost = [name for i, name in enumerate(names) if i not in found]
    shown = tuple(names[i] for i in found)
    figure, (axes,) = blank(height_of(len(rows)))
    for y, row in enumerate(rows):
        _line(axes, y, row, shown, [row.per_class[i] for i in found])
    axes.set_title(f"IoU by class (%), {seeds_said(row.interval for row in rows)}")
    name_columns(axes, shown, (WIDTH - NAMES) / len(shown))
    label_rows([axes], rows)
    axes.set_xlim(0, len(shown))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    notes = [f"0 or absent in every row: {', '.join(lost)}."] if lost else []
    sign(figure, view.signature, notes=notes)
    lines = tuple((row.shown, *(number(value, 1) for value in row.per_class)) for row in rows)
    text = "Heat map of rows and classes with the IoU in every cell."
    description = " ".join((text, *notes))
    return Chart("per_class", "IoU by class", description, figure, ("Row", *names), lines)


def _line(axes: Axes, y: int, row: RowSummary, names: tuple[str, ...], values: list[float]) -> None:
    mesh = axes.pcolormesh(
        range(len(values) + 1),
        (y - 0.5, y + 0.5),
        [values],
        cmap="Blues",
        norm=Normalize(0, 100),
        edgecolors=PAPER,
        lw=1.5,
    )
    mark(mesh, row.label, row.shown)
    size = 10 if len(values) < 16 else 7.5
    for x, (name, value) in enumerate(zip(names, values, strict=True)):
        text = number(value, 0)
        cell = axes.text(
            x + 0.5, y, text, ha="center", va="center", color=on_blue(value), fontsize=size
        )
        mark(cell, row.label, f"{row.shown}, {name}: {number(value, 1)} %")
