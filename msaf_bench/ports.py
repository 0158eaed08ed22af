"""The types that all packages share, without torch. Shapes: B batch, K classes, H W image, h w grid
(1/8).
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class Reader(Protocol):
    """Read clips by their indices: logits (B, K, h, w); with `still` the newest frame stands for
    the past.
    """

    def __call__(self, indices: "Sequence[int]", still: bool, /) -> "Tensor": ...


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
