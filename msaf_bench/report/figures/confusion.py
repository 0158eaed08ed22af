"""Confusion matrix of one scored pair of folders: a figure, CSV files and a matrix per image.

Counts are (K+1) x (K+1): rows are ground truth, columns are predictions, void is last. N images, K
classes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from msaf_bench.analyzers.miou_score import MiouScore
from msaf_bench.findings.digits import number
from msaf_bench.outputs import write_outputs
from msaf_bench.report.arrays import npz
from msaf_bench.report.backend import UndrawnError, drawn_or_why
from msaf_bench.report.figures.canvas import (
    MANY,
    MARK,
    MUTED,
    PAPER,
    WIDTH,
    Chart,
    blank,
    both_formats,
    name_columns,
    on_blue,
    styled,
)
from msaf_bench.report.tables.spreadsheet import csv_document

SHOWN = 0.5  #: percent; smaller shares are empty cells
CELL = 0.37  #: size in inches of a cell with a number
NUMBERED = 64  #: number of classes from which on cells have no numbers


def draw(
    counts: NDArray[np.int64], names: Sequence[str], caption: str, *, partial: bool = False
) -> Chart:
    """Return a heat map of the counts as shares of each row's sum, in percent.

    Rows without a pixel have dashes. Void has a row or column only if it holds a pixel.

    Args:
        counts: (K+1, K+1)
        names: names of the K classes
        caption: text below the figure
        partial: whether to mark the figure as a partial score
    """
    labels = [*names, "void"]
    rows, columns = (
        list(range(len(names) + bool(void.any()))) for void in (counts[-1], counts[:, -1])
    )
    total = counts.sum(1, keepdims=True)
    share = np.divide(100.0 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)[
        np.ix_(rows, columns)
    ]
    side = CELL * min(len(labels), NUMBERED)
    with styled():
        figure, (axes,) = blank(2.2 + side)
        figure.set_figwidth(max(WIDTH, 3.2 + side))
        mesh = axes.pcolormesh(
            share,
            cmap="Blues",
            norm=Normalize(0, 100),
            edgecolors=PAPER,
            lw=1 if len(labels) <= NUMBERED else 0,
        )
        if len(labels) <= NUMBERED:
            _write_numbers(axes, share)
        axes.set_title(
            "Confusion: share of the pixels of each true class that is predicted as each class (%)"
        )
        name_columns(axes, [labels[i] for i in columns], CELL)
        axes.set_yticks(np.arange(len(rows)) + 0.5, [labels[i] for i in rows])
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.tick_params(axis="y", labelsize=10 if len(labels) < MANY else 8.5)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=40)
        bar.set_label("share of the true class (%)")
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        text = f"Empty cell: below {SHOWN:g} %. {caption}"
        figure.supxlabel(text, x=0.008, ha="left", fontsize=8.5, color=MUTED)
        if partial:
            figure.suptitle(
                "PARTIAL SCORE", x=0.008, ha="left", color=MARK, fontsize=13, weight="bold"
            )
    lines = tuple(
        (labels[y], *(number(float(v), 1) for v in line))
        for y, line in zip(rows, share, strict=True)
    )
    description = (
        "Heat map with one row per true class and one column per predicted class; cells of at least"
        " half a percent show their number."
    )
    return Chart(
        "confusion",
        "Confusion by class",
        description,
        figure,
        ("True class", *(labels[x] for x in columns)),
        lines,
    )


def _write_numbers(axes: Axes, share: NDArray[np.float64]) -> None:
    size = 10 if len(share) < 16 else 8
    for (y, x), value in np.ndenumerate(share):
        if np.isnan(value) or value >= SHOWN:
            axes.text(
                x + 0.5,
                y + 0.5,
                number(float(value), 0),
                ha="center",
                va="center",
                color=on_blue(float(value)),
                fontsize=size,
            )


#: names of the files of `write`
FILES = ("miou.csv", "confusion.csv", "confusion.svg", "confusion.png", "matrices.npz")


def write(score: MiouScore, folder: Path) -> list[Path]:
    """Write the files of a score and return their paths.

    `miou.csv` has one line per class, `confusion.csv` the counts, `confusion.svg` and `.png` the
    figure. `matrices.npz` holds `names` (N,), `matrices` (N, K+1, K+1) and `labels` (K+1,) for a
    bootstrap over images.

    Raises:
        HostError: if the folder cannot be written
        UndrawnError: if only the figure failed
    """
    labels, counts = [*score.classes.names, "void"], score.confusion
    rules = f"void {score.void}, absent {score.absent}"
    caption = (
        f"{score.images} images, classes {score.classes.name}; mIoU {number(score.miou)} %"
        f" ({rules})."
    )
    if score.counts.bad:
        caption += f" Partial: {len(score.counts.bad)} pairs left out."
    if score.incomplete:
        caption += f" Partial: {score.incomplete}."

    def pictures() -> dict[str, bytes]:
        chart = draw(counts, labels[:-1], caption, partial=score.partial)
        return both_formats(chart.figure, chart.title, chart.description)

    figure, undrawn = drawn_or_why(pictures, {})
    arrays = {"names": score.counts.names, "matrices": score.counts.matrices, "labels": labels}
    files: dict[str, str | bytes] = {
        "miou.csv": _class_csv(score),
        "confusion.csv": _csv(
            [
                ("truth", *labels),
                *((label, *row) for label, row in zip(labels, counts.tolist(), strict=True)),
            ]
        ),
        **{f"confusion.{kind}": content for kind, content in figure.items()},
        "matrices.npz": npz(arrays),
    }
    paths = write_outputs(folder, files)
    if undrawn:
        raise UndrawnError(undrawn, paths)
    return paths


def _class_csv(score: MiouScore) -> str:
    def cell(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    about = (score.void, score.absent, score.images, "partial" if score.partial else "")
    head = ("class", "iou_percent", "accuracy_percent", "void", "absent", "images", "partial")
    lines = [
        (name, cell(iou), cell(score.per_class_accuracy[name]), *about)
        for name, iou in score.per_class.items()
    ]
    return _csv([head, *lines, ("mean", cell(score.miou), cell(score.class_accuracy), *about)])


def _csv(lines: Sequence[Sequence[object]]) -> str:
    """Return the lines as CSV, with "-" for None."""
    return csv_document(["-" if cell is None else cell for cell in line] for line in lines)
