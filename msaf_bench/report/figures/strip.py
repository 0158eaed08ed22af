"""Qualitative figure: frames, ground truth and predictions of each row in class colours.

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
TITLE = "Frames, ground truth and predictions"
ACROSS = 4  #: pictures per line of a grid


@dataclass(frozen=True)
class Strip:
    """Samples of a split: frames (H, W, 3), ground truth (H, W), predictions (H, W) by label."""

    frames: Sequence[Picture]
    truths: Sequence[Picture]
    predictions: Mapping[str, Sequence[Picture]]
    colours: tuple[tuple[int, int, int], ...]
    class_names: tuple[str, ...]
    names: Sequence[str] = ()  #: names of the frames
    seed: int = 0  #: seed of the predictions


def draw(strip: Strip, view: View) -> Chart:
    """Return one column per sample: frame, ground truth, and each row's prediction with its mIoU.

    Void is black, and a legend shows the colours of the classes. More than `MANY` rows show only
    the first sample, in a grid.
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
        note = "Number above a prediction: its mIoU (%) over the classes of that frame."
        sign(figure, view.signature, _patches(strip), 6, notes=[note])
    pictures = "One sample" if grid else f"{columns} samples in columns"
    text = (
        f"{pictures}: each frame, its ground truth and the prediction of"
        f" {', '.join(strip.predictions)}. {note}"
    )
    return Chart("strip", TITLE, text, figure)


def frame_iou(truth: Picture, prediction: Picture, classes: int) -> float | None:
    """Return the mean IoU in percent over the classes in one frame's ground truth or prediction.

    Both are (H, W). Void in the ground truth is ignored; predicted void is a miss. None for a frame
    that is void only.
    """
    kept = [*range(classes), VOID]
    counts = count_ids(truth, prediction)[np.ix_(kept, kept)]
    return class_scores(counts).miou if counts[:-1].sum() else None


class _Cell(NamedTuple):
    """One picture of the figure."""

    row: str  #: label; empty for frame and ground truth
    name: str
    picture: Picture
    score: str = ""


def _lines(strip: Strip, shown: Mapping[str, str]) -> list[list[_Cell]]:
    """Return the pictures: a line of frames, one of ground truth, and one per row."""
    # slow to import, and only needed for pictures
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
    """Return the title; in a grid with the name of the frame, which has no column head."""
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
