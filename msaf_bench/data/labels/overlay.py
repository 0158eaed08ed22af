"""Class ids in colour over their frame, with a legend. Shapes: H W image."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import Colour, colourise

_OPAQUE = 0.5  #: share of the class colour in a pixel
_LEVELS = tuple(round(step * 255 / 7) for step in range(8))  #: per channel: 512 colours
# Legend: font and its scale; height of a row, size of a swatch, and gap, in px per _WIDE px of
# the frame's width
_FONT, _LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_ROW, _SWATCH, _GAP, _WIDE = 16, 10, 6, 640
_DARK, _LIGHT = 24, (235, 235, 235)  # background and text of a legend
_TALLEST = 0.5  #: height limit of a legend, as a share of the frame


def palette(count: int) -> tuple[Colour, ...]:
    """Return colours for up to 255 classes of a set without colours.

    Each is the colour of a grid that is farthest, in CIELAB, from black (void) and from the colours
    before it.
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
    """Return a frame (H, W, 3) with the colours of its class ids (H, W) over it, half transparent.

    Void shows the frame. Borders between classes are drawn in the full colour.
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
    """Return a legend (h, width, 3) to put below frames of this size.

    Args:
        names: the class names.
        colours: the class colours.
        width: width of the frames in px.
        height: height of the frames in px; h is 0 if the legend would be taller than half of it.
    """
    scale = max(1, width // _WIDE)
    row, swatch, gap = scale * _ROW, scale * _SWATCH, scale * _GAP
    places, left, top = list[tuple[int, int]](), gap, gap
    for name in names:
        (text, _), _ = cv2.getTextSize(name, _FONT, scale * _LETTERS, scale)
        wide = swatch + 2 * gap + text
        if left > gap and left + wide > width:
            left, top = gap, top + row
        places.append((left, top))
        left += wide + gap
    tall = top + row
    if tall > _TALLEST * height:
        return np.empty((0, width, 3), np.uint8)
    drawn = np.full((tall, width, 3), _DARK, np.uint8)
    for name, colour, (left, top) in zip(names, colours, places, strict=True):
        drawn[top : top + swatch, left : left + swatch] = colour
        at = (left + swatch + gap, top + swatch)
        cv2.putText(drawn, name, at, _FONT, scale * _LETTERS, _LIGHT, scale, cv2.LINE_AA)
    return drawn
