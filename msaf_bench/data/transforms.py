"""Transforms of clips to training batches.

All frames of a clip and its label share one random scale, position and flip. Shapes: B batch, T
frames, H W image.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from msaf_bench.data.clips import Clip
from msaf_bench.spec import VOID, Conditions

MEAN = (0.485, 0.456, 0.406)  #: ImageNet mean, as the backbones' published weights expect
STD = (0.229, 0.224, 0.225)  #: ImageNet standard deviation
#: Tolerance for the start of a resized strip, in source pixels. Over the largest step between two
#: pixels, 255, and along both axes, the error is half an intensity: it only affects rounding.
PHASE = 1 / 1024

DRAWN = 4  #: random numbers drawn per clip

Pixels = NDArray[np.uint8]
Sides = tuple[int, int]  #: H, W
Part = tuple[slice, slice]  #: rows, columns

_MEAN_COLOUR = np.round(np.multiply(MEAN, 255)).astype(np.uint8)
_UNSEEN = np.full((), VOID, np.uint8)


def augment(clip: Clip, conditions: Conditions, rng: Generator) -> Clip:
    """Return the clip resized, cropped or padded, and mirrored at random.

    The scale is drawn from `conditions.scale`. The result has the size `conditions.crop`, or
    `conditions.size` without a crop. It is mirrored half of the time if `conditions.flip` is set.
    Padding is void in the label and the mean colour in the frames.

    With a crop, only the visible part is resized. The label is exactly that of the whole resized
    image; intensities differ from it by at most 1 of 255. Four numbers are drawn under all
    conditions.
    """
    zoom, down, across, mirror = rng.random(DRAWN)
    low, high = conditions.scale
    factor = low + (high - low) * zoom
    height, width = clip.label.shape
    whole = height, width
    if factor != 1:
        whole = max(1, round(height * factor)), max(1, round(width * factor))
    size = conditions.crop or conditions.size
    rows, top = _place(whole[0], size[0], down)
    columns, left = _place(whole[1], size[1], across)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = _resized_part if conditions.crop else _part_of_resized

    def window(part: Pixels, padding: Pixels) -> Pixels:
        shown = part
        if part.shape[:2] != size:
            shown = np.empty((*size, *part.shape[2:]), np.uint8)
            shown[:] = padding
            shown[top, left] = part
        if conditions.flip and mirror < 0.5:
            return np.asarray(cv2.flip(shown, 1), np.uint8)
        return shown

    frames = [
        window(resized(frame, whole, (rows, columns), how), _MEAN_COLOUR) for frame in clip.frames
    ]
    label = window(_nearest_part(clip.label, whole, (rows, columns)), _UNSEEN)
    return Clip(np.stack(frames), np.ascontiguousarray(label), clip.name)


def pass_over(rng: Generator) -> None:
    """Draw the random numbers of `augment` for a clip that another process augments."""
    rng.random(DRAWN)


def _place(have: int, size: int, place: float) -> tuple[slice, slice]:
    """Return the visible part of a side, and its position in a window of `size`.

    `place` is the offset as a share of the room, 0 to 1. A smaller image is placed in a padded
    window.
    """
    room = have - size
    offset = int(place * (abs(room) + 1))
    cut, put = (offset, 0) if room > 0 else (0, offset)
    length = min(have, size)
    return slice(cut, cut + length), slice(put, put + length)


def _part_of_resized(picture: Pixels, whole: Sides, part: Part, how: int) -> Pixels:
    """Return a part of a frame (H, W, 3) after resizing the whole frame to `whole`."""
    if picture.shape[:2] != whole:
        picture = np.asarray(cv2.resize(picture, whole[::-1], interpolation=how), np.uint8)
    return picture[part]


def _resized_part(picture: Pixels, whole: Sides, part: Part, how: int) -> Pixels:
    """Return the result of `_part_of_resized` without resizing the rest of the frame."""
    if picture.shape[:2] == whole:
        return picture[part]
    sides = zip(picture.shape, whole, part, strict=False)
    (rows, part_rows), (columns, part_columns) = (_strip(*side) for side in sides)
    factors = whole[0] / picture.shape[0], whole[1] / picture.shape[1]
    strip = picture[rows, columns]
    if all(round(n * factor) == n for n, factor in zip(strip.shape, factors, strict=False)):
        # If the factor is close to 1, OpenCV copies a strip that keeps its size.
        return _part_of_resized(picture, whole, part, how)
    strips = cv2.resize(strip, None, fx=factors[1], fy=factors[0], interpolation=how)
    return np.asarray(strips, np.uint8)[part_rows, part_columns]


def _strip(side: int, whole: int, part: slice) -> tuple[slice, slice]:
    """Return the strip of a side to resize for `part`, and the part's place in the resized strip.

    `part` is a part of the side resized to `whole`. A resized strip has the pixels of the whole
    image if it begins between the same source pixels. It therefore begins at the last pixel before
    the part that has its edge on a source pixel's edge, within `PHASE`. Pixel 0 always qualifies.
    """
    step = side / whole  # source pixels per pixel
    border = math.ceil(1 / step) + 1  # first pixels of a strip, which depend on pixels before it
    edges = step * np.arange(max(0, part.start - border) + 1)
    begin = int(np.flatnonzero(np.abs(edges - np.rint(edges)) <= PHASE)[-1])
    end = min(side, math.ceil(step * part.stop) + 2)
    return slice(round(step * begin), end), slice(part.start - begin, part.stop - begin)


def _nearest_part(label: Pixels, whole: Sides, part: Part) -> Pixels:
    """Return a part of a label map (H, W) after nearest-neighbour resizing to `whole`."""
    if label.shape == whole:
        return label[part]
    rows, columns = (_nearest(*side) for side in zip(label.shape, whole, part, strict=True))
    return label[rows][:, columns]


def _nearest(side: int, whole: int, part: slice) -> NDArray[np.intp]:
    """Return the source pixel of each pixel of a part, as chosen by OpenCV."""
    places = np.arange(side, dtype=np.float32)[None]
    resized = cv2.resize(places, (whole, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized[0, part], np.intp)


def stacked(pictures: Sequence[Pixels], device: str = "cpu") -> Tensor:
    """Return pictures of one shape as one tensor (N, ...) uint8 in main memory.

    For a GPU the memory is pinned, so that the copy overlaps with computation.
    """
    batch = torch.empty(
        (len(pictures), *pictures[0].shape),
        dtype=torch.uint8,
        pin_memory=device.startswith("cuda"),
    )
    np.stack(pictures, out=batch.numpy())
    return batch


def normalise(frames: Pixels | Tensor) -> Tensor:
    """Return frames (..., H, W, 3) uint8 as normalised (..., 3, H, W) float32.

    Uses ImageNet's mean and standard deviation. The result stays on the device of the frames.
    """
    pixels = torch.as_tensor(frames)
    scale = 1 / (255 * torch.tensor(STD)).view(3, 1, 1)
    offset = (torch.tensor(MEAN) / torch.tensor(STD)).view(3, 1, 1)
    return (
        pixels.movedim(-1, -3)
        .to(torch.float32, memory_format=torch.contiguous_format)
        .mul_(scale.to(pixels.device, non_blocking=True))
        .sub_(offset.to(pixels.device, non_blocking=True))
    )


def denormalise(frames: Tensor) -> Tensor:
    """Return normalised frames (..., 3, H, W) as intensities 0 to 1, at least float32."""
    wide = torch.promote_types(frames.dtype, torch.float32)
    mean, deviation = (
        torch.tensor(v, dtype=wide, device=frames.device).view(3, 1, 1) for v in (MEAN, STD)
    )
    return frames.to(wide) * deviation + mean


def to_tensors(frames: Tensor, labels: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """Return `stacked` frames and labels in the form a network expects, on a device.

    Frames (B, T, H, W, 3) become (B, T, 3, H, W) float32, normalised on the device; labels (B, H,
    W) become int64. The copies do not block.
    """
    return (
        normalise(frames.to(device, non_blocking=True)),
        labels.to(device, non_blocking=True).long(),
    )
