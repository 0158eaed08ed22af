"""What every data set gives: clips of consecutive frames with the label map of the newest one."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from msaf_bench.spec import VOID

CAMVID_CLASSES = (
    "sky", "building", "pole", "road", "sidewalk", "tree", "sign", "fence", "car", "pedestrian",
    "bicyclist",
)  # fmt: skip
CAMVID_COLOURS = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
)  # fmt: skip


class Clip(NamedTuple):
    """Frames (T, H, W, 3) uint8, oldest first; the label map (H, W) uint8 of the newest, void =
    255; where it comes from.
    """

    frames: NDArray[np.uint8]
    label: NDArray[np.uint8]
    name: str  #: unique in the split, e.g. "0016E5/07959"


class Flow(NamedTuple):
    """Motion between two frames of one video, (H, W, 2) as (dx, dy) in pixels."""

    #: pixel p of the earlier frame is at p + (dx, dy) in the later one
    forward: NDArray[np.float32]
    #: pixel p of the later frame is at p + (dx, dy) in the earlier one
    backward: NDArray[np.float32] | None = None
    #: (H, W), where it is known: the point seen in the earlier frame is not seen in the later
    occluded: NDArray[np.bool_] | None = None


class Clips(Protocol):
    """One split of a data set. Opening it checks it; indexing gives a clip, the same one every
    time.
    """

    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    fingerprint: str  #: content hash of what the clips are made from
    repeated: int  #: history frames that do not exist and are replaced by the oldest one that does
    skipped: int  #: clips left out because a history frame does not exist
    #: (earlier, later) clips whose newest frames are neighbours in a video
    pairs: tuple[tuple[int, int], ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Clip: ...

    def picture(self, index: int) -> NDArray[np.uint8]:
        """The newest frame of a clip, (H, W, 3), at the size of its label map."""
        ...

    def exact_flow(self, pair: tuple[int, int]) -> Flow | None:
        """The true motion of a pair at the size of its label maps, where it is known."""
        ...

    def exact_past(self, index: int) -> tuple[Flow, ...] | None:
        """The true motion from a clip's newest frame to each of its past ones, oldest first, where
        it is known.
        """
        ...


def colourise(
    label: NDArray[np.uint8], colours: tuple[tuple[int, int, int], ...]
) -> NDArray[np.uint8]:
    """Label map (H, W) -> picture (H, W, 3); void is black."""
    table = np.zeros((VOID + 1, 3), np.uint8)
    table[: len(colours)] = colours
    return table[label]
