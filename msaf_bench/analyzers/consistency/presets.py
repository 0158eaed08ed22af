"""Presets of temporal consistency: the definition of each measure."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.matrices import (
    clean,
    etc2020,
    etc2020_thc,
    mean_of_all,
    mean_of_reference,
    vspw2021,
)
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.analyzers.miou import miou

Matrix = NDArray[np.int64]


class Preset(NamedTuple):
    """Protocol: a matrix per pair (`matrix`), a share per window (`window`), or an error per pair.

    The error applies if neither `matrix` nor `window` is set.
    """

    about: str
    better: Literal["higher", "lower"] = "higher"
    unit: str = "percent"
    #: arguments: earlier map, later map, motion, K
    matrix: Callable[[NDArray[np.uint8], NDArray[np.uint8], Warp, int], Matrix] | None = None
    mean: Callable[[Matrix], float] = miou  #: applied to the sum of all matrices
    window: int = 0  #: frames per window; 0 for a preset of pairs
    all_classes: bool = False  #: classes that never occur count too, so K must be known
    #: kept to reproduce published numbers, including the faults of the published script
    legacy: bool = False


_WINDOWS = (
    "share of pixels with a constant true label whose prediction is constant too, over windows of"
    " {} frames; the last window of a video is dropped"
)
_ETC = (
    "as in ETC (Liu et al. 2020): class ids interpolated bilinearly and truncated, so the score"
    " depends on the numbering of the classes; no masks, border clamped; classes that never occur"
    " count 0; pooled over pairs"
)

PRESETS = {
    "clean": Preset(
        "mIoU between a map and the next one, warped back as one-hot planes with argmax; occluded"
        " and out-of-frame pixels have no vote; mean over the classes that occur, pooled over"
        " pairs",
        matrix=clean,
    ),
    "etc2020": Preset(_ETC, matrix=etc2020, mean=mean_of_all, all_classes=True, legacy=True),
    "etc2020-thc": Preset(
        _ETC + "; rounded as by an older Resample2d than the one required by ETC",
        matrix=etc2020_thc,
        mean=mean_of_all,
        all_classes=True,
        legacy=True,
    ),
    "vspw2021": Preset(
        "as in VSPW (Miao et al. 2021): nearest pixel, shifted by up to half a pixel towards the"
        " borders; no masks, positions outside the frame are class 0; mean over the classes of the"
        " earlier maps, pooled over pairs",
        matrix=vspw2021,
        mean=mean_of_reference,
        legacy=True,
    ),
    "ewarp": Preset(
        "warping error (Lai et al. 2018) of one-hot label maps: mean squared difference over pixels"
        " and K planes; occlusions (forward/backward check) and motion boundaries are masked; mean"
        " over pairs, then over videos",
        better="lower",
        unit="mean squared error",
        all_classes=True,
    ),
    "vc8": Preset("as in VSPW (Miao et al. 2021): " + _WINDOWS.format(8), window=8, legacy=True),
    "vc16": Preset("as in VSPW (Miao et al. 2021): " + _WINDOWS.format(16), window=16, legacy=True),
}
