"""Transforms of clips to training batches: one draw of scale, place and flip for all frames of a
clip and its label.

Shapes: B batch, T frames, H W image.
"""

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


def augment(clip: Clip, conditions: Conditions, rng: Generator) -> Clip:
    """Return the clip resized within `conditions.scale`, cropped or padded to `conditions.crop`,
    and mirrored half of the time if `conditions.flip`.

    Without a crop the clip keeps `conditions.size`. Padding is void in the label and the mean
    colour in the frames. Four numbers are drawn under any conditions.
    """
    zoom, down, across, mirror = rng.random(4)
    low, high = conditions.scale
    factor = low + (high - low) * zoom
    frames, label = clip.frames, clip.label
    if factor != 1:
        height, width = (max(1, round(n * factor)) for n in label.shape)
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        frames = np.stack(
            [
                np.asarray(cv2.resize(frame, (width, height), interpolation=how), np.uint8)
                for frame in frames
            ]
        )
        label = np.asarray(
            cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
        )
    frames, label = _window(frames, label, conditions.crop or conditions.size, (down, across))
    if conditions.flip and mirror < 0.5:
        frames, label = frames[:, :, ::-1], label[:, ::-1]
    return Clip(np.ascontiguousarray(frames), np.ascontiguousarray(label), clip.name)


def _window(
    frames: NDArray[np.uint8],
    label: NDArray[np.uint8],
    size: tuple[int, int],
    place: tuple[float, float],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the part of `size` at `place`, 0 to 1 of the room; a smaller image is put into a
    padded frame at that place.
    """
    have = label.shape
    if have == size:
        return frames, label
    source, target = [slice(0)] * 2, [slice(0)] * 2
    for axis in range(2):
        room = have[axis] - size[axis]
        offset = int(place[axis] * (abs(room) + 1))
        cut, put = (offset, 0) if room > 0 else (0, offset)
        length = min(have[axis], size[axis])
        source[axis], target[axis] = slice(cut, cut + length), slice(put, put + length)
    window = np.empty((len(frames), *size, 3), np.uint8)
    window[:] = np.round(np.multiply(MEAN, 255)).astype(np.uint8)
    window[:, *target] = frames[:, *source]
    filled = np.full(size, VOID, np.uint8)
    filled[*target] = label[*source]
    return window, filled


def normalise(frames: NDArray[np.uint8]) -> Tensor:
    """Return frames (..., H, W, 3) uint8 as (..., 3, H, W) float32, normalised with ImageNet's mean
    and deviation.
    """
    scale = 1 / (255 * torch.tensor(STD)).view(3, 1, 1)
    offset = (torch.tensor(MEAN) / torch.tensor(STD)).view(3, 1, 1)
    return (
        torch.from_numpy(frames)
        .movedim(-1, -3)
        .to(torch.float32, memory_format=torch.contiguous_format)
        .mul_(scale)
        .sub_(offset)
    )


def denormalise(frames: Tensor) -> Tensor:
    """Return the intensities 0 to 1 of normalised frames (..., 3, H, W), in float32 at least."""
    wide = torch.promote_types(frames.dtype, torch.float32)
    mean, deviation = (
        torch.tensor(v, dtype=wide, device=frames.device).view(3, 1, 1) for v in (MEAN, STD)
    )
    return frames.to(wide) * deviation + mean


def to_tensors(clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """Return frames (B, T, 3, H, W) float32, normalised, and labels (B, H, W) int64."""
    return (
        normalise(np.stack([clip.frames for clip in clips])),
        torch.from_numpy(np.stack([clip.label for clip in clips])).long(),
    )
