"""Transforms of clips to training batches: one draw of scale, place and flip for all frames of a
clip and its label.

Shapes: B batch, T frames, H W image.
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

MEAN = (0.485, 0.456, 0.406)  #: of ImageNet's colours, as the backbones' published weights expect
STD = (0.229, 0.224, 0.225)
#: Source pixels by which the begin of a resized strip may be off. Over the largest step between two
#: pixels, 255, and along both sides, that is half an intensity: it shows in the rounding alone.
PHASE = 1 / 1024

DRAWN = 4  #: random numbers of a clip

Pixels = NDArray[np.uint8]
Sides = tuple[int, int]  #: H, W
Part = tuple[slice, slice]  #: rows, columns

_MEAN_COLOUR = np.round(np.multiply(MEAN, 255)).astype(np.uint8)
_UNSEEN = np.full((), VOID, np.uint8)


def augment(clip: Clip, conditions: Conditions, rng: Generator) -> Clip:
    """Return the clip resized within `conditions.scale`, cropped or padded to `conditions.crop`,
    and mirrored half of the time if `conditions.flip`.

    Without a crop the clip keeps `conditions.size`. Padding is void in the label and the mean
    colour in the frames. With a crop no more is resized than it shows: the label is exactly that of
    the whole resized image, intensities differ from it by 1 of 255 at most. Four numbers are drawn
    under any conditions.
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
    """Draw what `augment` draws, for a clip that somebody else augments."""
    rng.random(DRAWN)


def _place(have: int, size: int, place: float) -> tuple[slice, slice]:
    """Return which part of a side is shown, at `place`, 0 to 1 of the room, and where it lies in a
    window of `size`: a smaller image is put into a padded window.
    """
    room = have - size
    offset = int(place * (abs(room) + 1))
    cut, put = (offset, 0) if room > 0 else (0, offset)
    length = min(have, size)
    return slice(cut, cut + length), slice(put, put + length)


def _part_of_resized(picture: Pixels, whole: Sides, part: Part, how: int) -> Pixels:
    """Return a part of a frame (H, W, 3) resized as a whole to `whole`."""
    if picture.shape[:2] != whole:
        picture = np.asarray(cv2.resize(picture, whole[::-1], interpolation=how), np.uint8)
    return picture[part]


def _resized_part(picture: Pixels, whole: Sides, part: Part, how: int) -> Pixels:
    """Return the same without resizing the rest of the frame."""
    if picture.shape[:2] == whole:
        return picture[part]
    sides = zip(picture.shape, whole, part, strict=False)
    (rows, part_rows), (columns, part_columns) = (_strip(*side) for side in sides)
    factors = whole[0] / picture.shape[0], whole[1] / picture.shape[1]
    strip = picture[rows, columns]
    if all(round(n * factor) == n for n, factor in zip(strip.shape, factors, strict=False)):
        # Next to a factor of 1 OpenCV would copy a strip whose size stays the same.
        return _part_of_resized(picture, whole, part, how)
    strips = cv2.resize(strip, None, fx=factors[1], fy=factors[0], interpolation=how)
    return np.asarray(strips, np.uint8)[part_rows, part_columns]


def _strip(side: int, whole: int, part: slice) -> tuple[slice, slice]:
    """Return the strip of a side that must be resized to have a part of the side resized to
    `whole`, and where the part lies in the resized strip.

    A resized strip has the pixels of the whole where it begins between the same source pixels, so
    it begins with the last pixel before the part whose edge falls on a source pixel's edge, within
    `PHASE`; that of pixel 0 always does.
    """
    step = side / whole  # source pixels a pixel
    border = math.ceil(1 / step) + 1  # pixels of a strip that see beyond its begin
    edges = step * np.arange(max(0, part.start - border) + 1)
    begin = int(np.flatnonzero(np.abs(edges - np.rint(edges)) <= PHASE)[-1])
    end = min(side, math.ceil(step * part.stop) + 2)
    return slice(round(step * begin), end), slice(part.start - begin, part.stop - begin)


def _nearest_part(label: Pixels, whole: Sides, part: Part) -> Pixels:
    """Return a part of a label map (H, W) resized as a whole by nearest neighbours."""
    if label.shape == whole:
        return label[part]
    rows, columns = (_nearest(*side) for side in zip(label.shape, whole, part, strict=True))
    return label[rows][:, columns]


def _nearest(side: int, whole: int, part: slice) -> NDArray[np.intp]:
    """Return the source pixel of each pixel of a part, as OpenCV chooses it."""
    places = np.arange(side, dtype=np.float32)[None]
    resized = cv2.resize(places, (whole, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized[0, part], np.intp)


def stacked(pictures: Sequence[Pixels], device: str = "cpu") -> Tensor:
    """Return pictures of one shape as one tensor (N, ...) uint8 in main memory, locked there if it
    is for a GPU, so that a GPU copies it while it computes.
    """
    batch = torch.empty(
        (len(pictures), *pictures[0].shape),
        dtype=torch.uint8,
        pin_memory=device.startswith("cuda"),
    )
    np.stack(pictures, out=batch.numpy())
    return batch


def normalise(frames: Pixels | Tensor) -> Tensor:
    """Return frames (..., H, W, 3) uint8 as (..., 3, H, W) float32, normalised with ImageNet's mean
    and deviation, where they are.
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
    """Return the intensities 0 to 1 of normalised frames (..., 3, H, W), in float32 at least."""
    wide = torch.promote_types(frames.dtype, torch.float32)
    mean, deviation = (
        torch.tensor(v, dtype=wide, device=frames.device).view(3, 1, 1) for v in (MEAN, STD)
    )
    return frames.to(wide) * deviation + mean


def to_tensors(frames: Tensor, labels: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """Return `stacked` frames (B, T, H, W, 3) and labels (B, H, W) as a network expects them on a
    device: (B, T, 3, H, W) float32, normalised there, and int64. Nothing waits for the copies.
    """
    return (
        normalise(frames.to(device, non_blocking=True)),
        labels.to(device, non_blocking=True).long(),
    )
