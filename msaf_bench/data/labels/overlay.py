"""Class ids shown in colour over their frame, with a legend. Shapes: H W image."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import Colour, colourise

_OPAQUE = 0.5  #: share of the class colour in a pixel
_LEVELS = tuple(round(step * 255 / 7) for step in range(8))  #: of red, green, blue: 512 colours
_FONT, _SCALE, _ROW = cv2.FONT_HERSHEY_SIMPLEX, 0.4, 16  # a legend's letters, px of a row
_SWATCH, _GAP = 10, 6  # px
_TALLEST = 0.5  #: of a legend, as a share of the frame


def palette(count: int) -> tuple[Colour, ...]:
    """Return colours for up to 255 classes without colours of their own: each is the one of a grid
    that is farthest, in CIELAB, from void's black and from those before it.
    """
    grid = np.stack(np.meshgrid(*[_LEVELS] * 3, indexing="ij"), -1).reshape(1, -1, 3)
    lab = np.asarray(cv2.cvtColor(grid.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), float)[0]
    nearest = np.linalg.norm(lab, axis=1)  # distance to black
    chosen = list[Colour]()
    for _ in range(count):
        index = int(nearest.argmax())
        red, green, blue = grid[0, index].tolist()
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[index], axis=1))
    return tuple(chosen)


def overlay(
    picture: NDArray[np.uint8], labels: NDArray[np.uint8], colours: tuple[Colour, ...]
) -> NDArray[np.uint8]:
    """Return a frame (H, W, 3) with the colours of its class ids (H, W) over it, half transparent;
    void shows the frame. Borders between classes are drawn in the full colour.
    """
    shown = colourise(labels, colours)
    mixed = np.asarray(cv2.addWeighted(picture, 1 - _OPAQUE, shown, _OPAQUE, 0), np.uint8)
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    mixed[border] = shown[border]
    void = labels >= len(colours)
    mixed[void] = picture[void]
    return mixed


def legend(
    names: Sequence[str], colours: Sequence[Colour], width: int, height: int
) -> NDArray[np.uint8]:
    """Return a legend (h, width, 3) to put below frames of this size; of no height where it would
    be taller than half of the frame.
    """
    places, x, row = list[tuple[int, int]](), _GAP, 0
    for name in names:
        (text, _), _ = cv2.getTextSize(name, _FONT, _SCALE, 1)
        wide = _SWATCH + 2 * _GAP + text
        if x > _GAP and x + wide > width:
            x, row = _GAP, row + 1
        places.append((x, row * _ROW + _GAP))
        x += wide + _GAP
    tall = (row + 1) * _ROW + _GAP
    if tall > _TALLEST * height:
        return np.empty((0, width, 3), np.uint8)
    drawn = np.full((tall, width, 3), 24, np.uint8)
    for name, colour, (left, top) in zip(names, colours, places, strict=True):
        drawn[top : top + _SWATCH, left : left + _SWATCH] = colour
        at = (left + _SWATCH + _GAP, top + _SWATCH)
        cv2.putText(drawn, name, at, _FONT, _SCALE, (235, 235, 235), 1, cv2.LINE_AA)
    return drawn
