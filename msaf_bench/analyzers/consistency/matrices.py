"""Presets that compare a label map with the next one warped back to it.

Each pair gives a K x K matrix; the matrices are pooled over all pairs. Rows are the earlier map,
columns the later one warped back. In every preset, three kinds of pixels have no vote: void pixels,
pixels read from void (under `clean`: pixels for which void wins the vote), and pixels of unknown
flow.

Shapes: K classes, H W label map.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.warping import CORNERS, Floats, Mask, Warp
from msaf_bench.analyzers.miou import class_iou, confusion_matrix
from msaf_bench.spec import VOID

Labels = NDArray[np.uint8]
Matrix = NDArray[np.int64]


def pulled_back(later: Labels, motion: Warp) -> Labels:
    """Return the later map warped back: the argmax of K bilinearly warped one-hot maps.

    The one-hot maps are never built. Of the four pixels that a pixel is read from, the class with
    the most bilinear weight wins; ties go to the first one in reading order. Weights are counted
    only if the four classes differ.
    """
    corners = np.pad(later, ((0, 1), (0, 1)), "edge")
    corners = [corners[i : i + later.shape[0], j : j + later.shape[1]] for i, j in CORNERS]
    mixed = (corners[0] != corners[1]) | (corners[0] != corners[2]) | (corners[0] != corners[3])
    height, width = later.shape
    column = np.clip(motion.x, 0, width - 1).astype(np.int32)
    row = np.clip(motion.y, 0, height - 1).astype(np.int32)
    nearest = (row * np.int32(width) + column).ravel()
    pulled = later.ravel()[nearest]
    undecided = np.flatnonzero(mixed.ravel()[nearest])
    places = motion.places(undecided)
    labels = later.ravel()[places.pixel]
    votes = [(places.weight * (labels == label)).sum(0) for label in labels]
    pulled[undecided] = np.take_along_axis(labels, np.argmax(votes, axis=0)[None], axis=0)[0]
    return pulled.reshape(later.shape)


def clean(earlier: Labels, later: Labels, motion: Warp, num_classes: int) -> Matrix:
    """Count votes after a one-hot bilinear warp and argmax.

    Pixels that are occluded or read from outside the frame have no vote.

    Args:
        earlier: Label map (H, W) of the earlier frame.
        later: Label map (H, W) of the later frame.
        motion: Flow of the pair.
        num_classes: K.
    """
    return _matrix(
        earlier,
        pulled_back(later, motion),
        motion.hidden | motion.outside | motion.unknown,
        num_classes,
    )


def etc2020(earlier: Labels, later: Labels, motion: Warp, num_classes: int) -> Matrix:
    """Count votes as `tool/eval_tc.py` of ETC (Liu et al. 2020) does.

    Class ids are interpolated bilinearly and truncated; no pixel is masked. Between classes 2 and
    13 every id in between appears. The rounding is that of Resample2d in NVIDIA/flownet2-pytorch,
    a package that users of ETC are told to copy: each product becomes float32, the sum is float32,
    and the fourth product is fused with the last addition. Inside one class some pixels come out
    one id too low.

    Args:
        earlier: Label map (H, W) of the earlier frame.
        later: Label map (H, W) of the later frame.
        motion: Flow of the pair.
        num_classes: K.
    """

    def add(
        total: Floats, weights: Sequence[NDArray[np.float64]], ids: NDArray[np.float32]
    ) -> Floats:
        for weight, label in zip(weights[:3], ids[:3], strict=True):
            total = total + (weight * label).astype(np.float32)
        # Both factors are float32, so their product is exact in float64 and is rounded only once,
        # together with the sum.
        return (weights[3].astype(np.float32).astype(np.float64) * ids[3] + total).astype(
            np.float32
        )

    return _interpolated(earlier, later, motion, num_classes, add)


def etc2020_thc(earlier: Labels, later: Labels, motion: Warp, num_classes: int) -> Matrix:
    """Count votes as `etc2020`, rounded as by the older Resample2d of Lai et al. (2018).

    Products are added in float64, the sum is float32. Versions of this project before 0.2 called
    this number `etc2020`.

    Args:
        earlier: Label map (H, W) of the earlier frame.
        later: Label map (H, W) of the later frame.
        motion: Flow of the pair.
        num_classes: K.
    """

    def add(
        total: Floats, weights: Sequence[NDArray[np.float64]], ids: NDArray[np.float32]
    ) -> Floats:
        for weight, label in zip((*weights[:3], weights[3].astype(np.float32)), ids, strict=True):
            total = (total + weight * label).astype(np.float32)
        return total

    return _interpolated(earlier, later, motion, num_classes, add)


def _interpolated(
    earlier: Labels,
    later: Labels,
    motion: Warp,
    num_classes: int,
    add: Callable[[Floats, Sequence[NDArray[np.float64]], NDArray[np.float32]], Floats],
) -> Matrix:
    """Count votes after interpolating ids bilinearly and truncating them.

    `add` sums the weighted ids of the four pixels with the rounding of a published script.
    """
    places = motion.everywhere
    x, y = motion.x.ravel(), motion.y.ravel()
    a, b = (v.astype(np.float64) for v in (x - np.floor(x), y - np.floor(y)))
    weights = ((1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b)
    labels = later.ravel()[places.pixel]
    total = add(np.zeros(earlier.size, np.float32), weights, labels.astype(np.float32))
    left_out = motion.unknown | places.some(labels == VOID).reshape(earlier.shape)
    return _matrix(earlier, total.astype(np.uint8).reshape(earlier.shape), left_out, num_classes)


def vspw2021(earlier: Labels, later: Labels, motion: Warp, num_classes: int) -> Matrix:
    """Count votes as `TC_cal.py` of VSPW (Miao et al. 2021) does.

    The nearest pixel is read, no pixel is masked, and positions outside the frame are class 0.
    Coordinates are normalised as if -1 and 1 were the centres of the outer pixels, but read as if
    they were their outer edges. The result is a shift of up to half a pixel, which grows from the
    middle to the borders.

    Args:
        earlier: Label map (H, W) of the earlier frame.
        later: Label map (H, W) of the later frame.
        motion: Flow of the pair.
        num_classes: K.
    """
    height, width = earlier.shape
    rows, columns = (
        np.rint(
            ((place * np.float32(2) / np.float32(max(side - 1, 1)) - 1 + 1) * np.float32(side) - 1)
            / 2
        )
        for place, side in ((motion.y, height), (motion.x, width))
    )
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pulled = np.zeros_like(earlier)
    pulled[inside] = later[rows[inside].astype(np.intp), columns[inside].astype(np.intp)]
    return _matrix(earlier, pulled, motion.unknown, num_classes)


def _matrix(earlier: Labels, pulled: Labels, left_out: Mask, num_classes: int) -> Matrix:
    silent = left_out | (pulled == VOID)
    return confusion_matrix(
        np.where(silent, np.uint8(VOID), earlier),
        np.where(silent, np.uint8(0), pulled),
        num_classes,
    )


def mean_of_all(matrix: Matrix) -> float:
    """Return the mean IoU over all K classes in percent; a class that never occurs counts 0.

    Used by `etc2020`.
    """
    return float(np.nan_to_num(class_iou(matrix)).mean())


def mean_of_reference(matrix: Matrix) -> float:
    """Return the mean IoU over the classes of the earlier maps in percent.

    Used by `vspw2021`, as in the copy of its script in CFFM.
    """
    held = matrix.sum(1) > 0
    return float(class_iou(matrix)[held].mean()) if held.any() else float("nan")


def agreement(matrix: Matrix) -> float | None:
    """Return the share of votes that agree in percent, or None without votes."""
    return float(100 * np.trace(matrix) / matrix.sum()) if matrix.any() else None
