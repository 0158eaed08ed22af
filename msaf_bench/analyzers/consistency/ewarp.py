"""Warping error of Lai et al. (2018), as in their released script: lower is better.

Mean squared difference between a frame and the next one warped back to it, over channels and over
all pixels except `doubtful` ones. If every pixel is doubtful, the error of the pair is 0, as in the
script. Positions outside the frame are clamped, not masked.

Shapes: K classes, C channels, H W image.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.warping import Mask, Warp, bilinear
from msaf_bench.spec import VOID


def picture_error(earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp) -> float:
    """Return the error of two images (H, W, C), scaled to 0..1, as measured in the paper."""
    error = np.zeros(earlier.shape[:2])
    for channel in range(earlier.shape[2]):
        pulled = bilinear(later[..., channel].astype(np.float32) / 255, motion.x, motion.y)
        error += (pulled - earlier[..., channel] / 255) ** 2
    return _mean(error, motion.doubtful, earlier.shape[2])


def label_error(
    earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp, num_classes: int
) -> float:
    """Return the error of two label maps, taken as one-hot images with K channels.

    A pixel whose label flips counts 2 / K. The K planes are never built: let u_i be the bilinear
    weight of each of the four pixels whose class differs from the earlier one. Then the squared
    difference of the one-hot vectors is (sum u)² plus the sum of u_i u_j over all i, j of equal
    class.

    Args:
        earlier: Label map (H, W) of the earlier frame.
        later: Label map (H, W) of the later frame.
        motion: Flow of the pair.
        num_classes: K.

    Returns:
        The error without void pixels, pixels read from void, and pixels of unknown flow; NaN if
        none is left.
    """
    places = motion.everywhere
    labels, own = later.ravel()[places.pixel], earlier.ravel()
    other = places.weight * (labels != own)
    error = other.sum(0) ** 2 + (other**2).sum(0)
    for i, j in combinations(range(4), 2):
        error += 2 * other[i] * other[j] * (labels[i] == labels[j])
    left_out = (places.some(labels == VOID) | (own == VOID)).reshape(earlier.shape) | motion.unknown
    return (
        float("nan")
        if left_out.all()
        else _mean(error.reshape(earlier.shape), motion.doubtful | left_out, num_classes)
    )


def _mean(error: NDArray[np.floating[Any]], masked: Mask, channels: int) -> float:
    seen = error[~masked]
    return float(seen.sum(dtype=np.float64) / (seen.size * channels)) if seen.size else 0.0
