"""Types that all packages share, without torch.

Shapes: B batch, K classes, H W image, h w grid (1/8 of the image).
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Stages(NamedTuple):
    """Features of a backbone's last three stages, all on one grid: each (N, C, h, w)."""

    f3: "Tensor"
    f4: "Tensor"
    f5: "Tensor"


class Output(NamedTuple):
    """Output of a network for a clip."""

    logits: "Tensor"  #: (B, K, H, W), for the newest frame
    #: further inputs of the losses, such as masks (B, K, h, w)
    aux: "dict[str, Tensor]"


class ClipLogits(NamedTuple):
    """Logits of some clips and their ground truth."""

    logits: "Tensor"  #: (B, K, h, w)
    labels: "Sequence[NDArray[np.uint8]]"  #: ground-truth label map of each clip


class Reader(Protocol):
    """Reads clips in chunks of indices and yields the logits of each chunk.

    With `still`, the newest frame replaces the past frames.
    """

    def __call__(
        self, chunks: "Sequence[Sequence[int]]", still: bool, /
    ) -> "Generator[ClipLogits]": ...


class Stream(Protocol):
    """The state of one video.

    `cycle` is the period of its work in frames. The first frame of a cycle is the key frame, if the
    system has key frames.
    """

    cycle: int

    def step(self, frame: "Tensor") -> "Tensor":
        """Return the logits (B, K, H, W) of the next frame (B, 3, H, W)."""
        ...

    def reset(self) -> None:
        """Forget the video."""
        ...
