"""The qualitative strip: frames, truth and the predictions of each row in class colours.

Shapes: H W grid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import class_scores, count_ids
from msaf_bench.findings.digits import number
from msaf_bench.report.figures.canvas import MANY, MUTED, WIDTH, Chart, blank, sign, styled
from msaf_bench.report.figures.marks import mark
from msaf_bench.report.view import View
from msaf_bench.spec import VOID

Picture = NDArray[np.uint8]
TITLE = "Frames, truth and predictions"
ACROSS = 4  #: pictures in a line of a grid


@dataclass(frozen=True)
class Strip:
    """Samples of one split: frames (H, W, 3), truths (H, W) and, by row label, predictions (H, W),
    in the same order.
    """

    frames: Sequence[Picture]
    truths: Sequence[Picture]
    predictions: Mapping[str, Sequence[Picture]]
    colours: tuple[tuple[int, int, int], ...]
    class_names: tuple[str, ...]
    names: Sequence[str] = ()  #: of the frames
    seed: int = 0  #: whose predictions these are


def draw(strip: Strip, view: View) -> Chart:
    """Return one column per sample: its frame, its truth, then each row's prediction with its mIoU;
    void is black. Below: the classes' colours.

    Of many rows the first sample alone, in a grid.
    """
    shown = {row.label: row.shown for row in view.summary.rows}
    lines = _lines(strip, shown)
    grid = len(strip.predictions) > MANY
    columns, (h, w) = len(strip.frames), strip.truths[0].shape
    legend = 0.24 * math.ceil(len(strip.class_names) / 6)
    with styled():
        if grid:
            columns, cells = ACROSS, [line[0] for line in lines]
            cell = (WIDTH - 0.2) / ACROSS * h / w + 0.22
            height = math.ceil(len(cells) / ACROSS)
        else:
            cells = [cell for line in lines for cell in line]
            cell, height = (WIDTH - 1.8) / columns * h / w + 0.2, len(lines)
        figure, axes = blank(0.95 + legend + cell * height, columns, height)
        for panel in axes:
            panel.set_axis_off()
        for index, (panel, picture) in enumerate(zip(axes, cells, strict=False)):
            _panel(panel, picture)
            if grid:
                panel.set_title(_named(picture), fontsize=8.5)
                continue
            above = strip.names[index] if index < len(strip.names) else picture.score
            panel.set_title(above, fontsize=8.5, color=MUTED, pad=3)
            if index % columns == 0:
                name = panel.text(
                    -0.05, 0.5, picture.name, transform=panel.transAxes, ha="right", va="center"
                )
                if picture.row:
                    mark(name, picture.row)
        figure.suptitle(_title(strip, grid=grid), x=0.008, ha="left", fontsize=11.5)
        note = "Above a prediction: its mIoU (%) over the classes of that frame."
        sign(figure, view.signature, _patches(strip), 6, notes=[note])
    pictures = "One sample" if grid else f"{columns} samples in columns"
    text = (
        f"{pictures}: each frame, its true classes and the prediction of"
        f" {', '.join(strip.predictions)}. {note}"
    )
    return Chart("strip", TITLE, text, figure)


def frame_iou(truth: Picture, prediction: Picture, classes: int) -> float | None:
    """Return the mean IoU in percent over the classes in one frame's truth or prediction, both
    (H, W). Void in the truth counts nowhere; predicted, it is a miss. None for a frame of void
    alone.
    """
    kept = [*range(classes), VOID]
    counts = count_ids(truth, prediction)[np.ix_(kept, kept)]
    return class_scores(counts).miou if counts[:-1].sum() else None


class _Cell(NamedTuple):
    """One picture of the figure."""

    row: str  #: label; empty for frame and truth
    name: str
    picture: Picture
    score: str = ""


def _lines(strip: Strip, shown: Mapping[str, str]) -> list[list[_Cell]]:
    """The pictures, a line for the frames, one for the truth and one for each row."""
    # only a report with a strip needs the data layer
    from msaf_bench.data.labels.classes import colourise

    lines = [
        [_Cell("", "Frame", frame) for frame in strip.frames],
        [_Cell("", "Truth", colourise(truth, strip.colours)) for truth in strip.truths],
    ]
    classes = len(strip.class_names)
    for label, predictions in strip.predictions.items():
        line: list[_Cell] = []
        for truth, prediction in zip(strip.truths, predictions, strict=True):
            score = number(frame_iou(truth, prediction, classes), 0)
            picture = colourise(prediction, strip.colours)
            line.append(_Cell(label, shown.get(label, label), picture, score))
        lines.append(line)
    return lines


def _panel(panel: Axes, cell: _Cell) -> None:
    panel.imshow(cell.picture, interpolation="nearest")
    if cell.row:
        mark(panel, cell.row, f"{cell.name}: mIoU {cell.score} % in this frame")


def _named(cell: _Cell) -> str:
    return f"{cell.name}: {cell.score}" if cell.score else cell.name


def _title(strip: Strip, *, grid: bool) -> str:
    """What the pictures are; of a grid also the frame, which has no column to stand over."""
    frame = f" in {strip.names[0]}" if grid and strip.names else ""
    return f"{TITLE} of seed {strip.seed}{frame}"


def _patches(strip: Strip) -> list[Patch]:
    return [
        Patch(
            facecolor=np.divide(colour, 255),  # pyright: ignore[reportArgumentType]
            edgecolor=MUTED,
            linewidth=0.5,
            label=name,
        )
        for colour, name in zip(strip.colours, strip.class_names, strict=True)
    ]
