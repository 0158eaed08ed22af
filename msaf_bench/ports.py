"""The types that all packages share, without torch. Shapes: B batch, K classes, H W image, h w grid
(1/8).
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Stages(NamedTuple):
    """The features of a backbone's last three stages, all on one grid: each (N, C, h, w)."""

    f3: "Tensor"
    f4: "Tensor"
    f5: "Tensor"


class Output(NamedTuple):
    """The result of a network for a clip."""

    logits: "Tensor"  #: (B, K, H, W), for the newest frame
    #: what the losses read beside the logits: masks (B, K, h, w), and what else a training needs
    aux: "dict[str, Tensor]"


class ClipLogits(NamedTuple):
    """The logits of some clips, and what they are compared with."""

    logits: "Tensor"  #: (B, K, h, w)
    labels: "Sequence[NDArray[np.uint8]]"  #: the true label map of each clip


class Reader(Protocol):
    """Read clips chunk by chunk, by their indices, and give the logits of each chunk; with `still`
    the newest frame stands for the past.
    """

    def __call__(
        self, chunks: "Sequence[Sequence[int]]", still: bool, /
    ) -> "Generator[ClipLogits]": ...


class Stream(Protocol):
    """The state of one video. `cycle` is the number of frames after which its work repeats; its
    first frame is the key frame, if it has those.
    """

    cycle: int

    def step(self, frame: "Tensor") -> "Tensor":
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        ...

    def reset(self) -> None:
        """Forget the video."""
        ...
