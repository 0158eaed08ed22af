"""The warping error of Lai et al. (2018), as their released script evaluates it: lower is better.
Shapes: K classes, C channels, H W image.

The mean squared difference, over the pixels that are not `doubtful` and over the channels, between
a frame and the next one pulled back to it. Where every pixel is doubtful the pair's error is 0, as
in the script. Places outside of the frame are clamped and not masked.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.warping import Mask, Warp, bilinear
from msaf_bench.spec import VOID


def picture_error(earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp) -> float:
    """Of two pictures (H, W, C), whose values become 0..1: what the paper measures."""
    error = np.zeros(earlier.shape[:2])
    for channel in range(earlier.shape[2]):
        pulled = bilinear(later[..., channel].astype(np.float32) / 255, motion.x, motion.y)
        error += (pulled - earlier[..., channel] / 255) ** 2
    return _mean(error, motion.doubtful, earlier.shape[2])


def label_error(
    earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp, num_classes: int
) -> float:
    """Of two label maps (H, W) as one-hot pictures with K channels. A pixel whose label flips
    counts 2 / K.

    With weight u_i on those of the four pixels whose class is another than the earlier one, the
    squared difference of the one-hot vectors is (sum u)² + the sum of u_i u_j over all i, j of
    equal class, so the K planes need not be made. Void pixels, and those read from a void one, are
    left out; NaN where that, or flow that is not known, leaves none.
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
