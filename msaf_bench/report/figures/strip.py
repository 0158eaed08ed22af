"""The qualitative strip: frames, truth and the predictions of each row in class colours.

Shapes: H W grid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Patch
from numpy.typing import NDArray

from msaf_bench.report.figures.canvas import MANY, MUTED, WIDTH, Chart, blank, sign, styled
from msaf_bench.report.view import View

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


def draw(strip: Strip, view: View) -> Chart:
    """Return one column a sample: its frame, its truth, then each row's prediction; void is black.
    Below: the classes' colours.

    Of many rows the first sample alone, in a grid.
    """
    from msaf_bench.data.labels.classes import (
        colourise,  # only a report with a strip needs the data layer
    )

    truths = [colourise(label, strip.colours) for label in strip.truths]
    predictions = {
        name: [colourise(label, strip.colours) for label in labels]
        for name, labels in strip.predictions.items()
    }
    lines = {"Frame": strip.frames, "Truth": truths, **predictions}
    if len(predictions) > MANY:
        return _grid({name: pictures[0] for name, pictures in lines.items()}, strip, view)
    shown = {row.label: row.shown for row in view.summary.rows}
    columns, (h, w) = len(strip.frames), strip.truths[0].shape
    legend_lines = math.ceil(len(strip.class_names) / 6)
    cell = (WIDTH - 1.8) / columns * h / w
    with styled():
        figure, axes = blank(
            0.7 + 0.24 * legend_lines + (cell + 0.05) * len(lines),
            columns=columns,
            lines=len(lines),
        )
        for index, panel in enumerate(axes):
            y, x = divmod(index, columns)
            name = list(lines)[y]
            panel.imshow(lines[name][x], interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_visible(False)
            if x == 0:
                panel.set_ylabel(
                    shown.get(name, name), rotation=0, ha="right", va="center", labelpad=8
                )
            if y == 0 and strip.names:
                panel.set_title(strip.names[x], fontsize=8.5, loc="center", color=MUTED)
        sign(figure, view.signature, _patches(strip), 6)
    text = (
        f"{columns} samples in columns; below each frame its true classes and the prediction of"
        f" {', '.join(predictions)}."
    )
    return Chart("strip", TITLE, text, figure)


def _grid(pictures: Mapping[str, Picture], strip: Strip, view: View) -> Chart:
    """One sample, four pictures in a line."""
    shown = {row.label: row.shown for row in view.summary.rows}
    (h, w), height = strip.truths[0].shape, math.ceil(len(pictures) / ACROSS)
    cell = (WIDTH - 0.2) / ACROSS * h / w + 0.2
    with styled():
        figure, axes = blank(
            0.7 + 0.24 * math.ceil(len(strip.class_names) / 6) + cell * height,
            columns=ACROSS,
            lines=height,
        )
        for panel in axes:
            panel.set_axis_off()
        for panel, (name, picture) in zip(axes, pictures.items(), strict=False):
            panel.imshow(picture, interpolation="nearest")
            panel.set_title(shown.get(name, name), fontsize=8.5)
        sign(figure, view.signature, _patches(strip), 6)
    text = (
        "One sample: its frame, its true classes and the prediction of"
        f" {', '.join(list(pictures)[2:])}."
    )
    return Chart("strip", TITLE, text, figure)


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
