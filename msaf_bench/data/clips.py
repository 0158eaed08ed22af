"""Interface of every data set: clips of consecutive frames, with the newest one's label map.

Shapes: T frames, H W image.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.flow import FlowField

SAMPLES = 4  #: number of clips of a split shown in figures


class Clip(NamedTuple):
    """Frames of one video and the label map of the newest one."""

    frames: NDArray[np.uint8]  #: (T, H, W, 3), oldest first
    label: NDArray[np.uint8]  #: (H, W), void = 255
    name: str  #: unique in the split, e.g. "0016E5/07959"


class Clips(Protocol):
    """One split of a data set.

    Opening a split checks it. An index returns the same clip every time. The length is the number
    of clips with a label map, on which networks are trained and scored. If neighbours of the
    labelled frames have no label map, `unlabelled` further clips follow, at the indices from the
    length on. Their label maps are all void and have the size of the others. They are only
    predicted for temporal consistency, which compares a frame with the next one.
    """

    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    fingerprint: str  #: content hash of the source data
    repeated: int  #: missing history frames, replaced by the oldest existing one
    skipped: int  #: clips left out for lack of a history frame
    unlabelled: int  #: clips without a label map
    videos: tuple[str, ...]  #: the video of each labelled clip
    #: (earlier, later) clips, labelled or not, with newest frames adjacent in a video
    pairs: tuple[tuple[int, int], ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Clip: ...

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return the newest frame of a clip, (H, W, 3), at the size of its label map."""
        ...

    def exact_flow(self, pair: tuple[int, int]) -> FlowField | None:
        """Return the true motion of a pair at the size of its label maps; None if unknown."""
        ...

    def exact_past(self, index: int) -> tuple[FlowField, ...] | None:
        """Return the true motion from the newest frame of a clip to each past frame.

        Oldest first; None if unknown.
        """
        ...


def sample_indices(clips: Clips) -> list[int]:
    """Return the indices of the clips shown in figures, spread evenly over the split."""
    last = len(clips) - 1
    return sorted({round(i * last / (SAMPLES - 1)) for i in range(SAMPLES)})
