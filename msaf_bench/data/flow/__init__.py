"""Optical flow between two frames.

`FlowField` is the type of a flow. `files` reads and writes Middlebury's .flo files, and
`estimators` computes flow from two pictures and caches it. Flow is float32, (dx, dy) in pixels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class FlowField(NamedTuple):
    """Motion between two frames of one video, (H, W, 2) as (dx, dy) in pixels."""

    #: pixel p of the earlier frame is at p + (dx, dy) in the later one
    forward: NDArray[np.float32]
    #: pixel p of the later frame is at p + (dx, dy) in the earlier one
    backward: NDArray[np.float32] | None = None
    #: (H, W), if known: points of the earlier frame that are not visible in the later one
    occluded: NDArray[np.bool_] | None = None
