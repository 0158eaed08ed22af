"""Check of label maps given as arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

Array = NDArray[np.integer]  #: (H, W) of class ids, void = 255


def label_arrays(maps: Sequence[Array], what: str) -> list[NDArray[np.uint8]]:
    """Return label maps as 8-bit ids.

    Raises `DataError`, naming the first invalid map, unless every map is (H, W) with integers from
    0 to 255.
    """
    checked: list[NDArray[np.uint8]] = []
    for index, given in enumerate(maps):
        labels = np.asarray(given)
        if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"{what} {index}: {labels.dtype} of shape {labels.shape}; give integers (H, W)"
            )
        if labels.size and (labels.min() < 0 or labels.max() > VOID):
            raise DataError(
                f"{what} {index}: ids from {labels.min()} to {labels.max()}; give 0 to {VOID}"
            )
        checked.append(labels.astype(np.uint8))
    return checked
