"""What the parts ask of each other, as protocols. Shapes: B batch, T frames, C channels, d width, K
classes, H W image, h w grid (1/8).
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Module


class Stages(NamedTuple):
    """The features of a backbone's last three stages, all on one grid: each (N, C, h, w)."""

    f3: "Tensor"
    f4: "Tensor"
    f5: "Tensor"


class Output(NamedTuple):
    """What a network gives for a clip."""

    logits: "Tensor"  #: (B, K, H, W), for the newest frame
    #: what the losses read beside the logits: masks (B, K, h, w), and what else a training needs
    aux: "dict[str, Tensor]"


class Reader(Protocol):
    """Read clips by their indices: logits (B, K, h, w); with `still` the newest frame stands for
    the past.
    """

    def __call__(self, indices: "Sequence[int]", still: bool, /) -> "Tensor": ...


class Backbone(Protocol):
    """Image (N, 3, H, W) -> its last three stages on one grid; `channels` are those of f3, f4, f5,
    `stride` is the grid's.
    """

    channels: tuple[int, int, int]
    stride: int

    def __call__(self, image: "Tensor") -> Stages: ...


class Head(Protocol):
    """Stages -> logits (N, K, h, w), in two steps: `classify(features(stages))`; `width` is the
    channels of the features.
    """

    width: int

    def features(self, stages: Stages) -> "Tensor":
        """Stages -> (N, width, h, w), what the classifier reads."""
        ...

    def classify(self, features: "Tensor") -> "Tensor":
        """(N, width, h, w) -> logits (N, K, h, w)."""
        ...

    def __call__(self, stages: Stages) -> "Tensor": ...


class Flow(Protocol):
    """Two normalised frames (B, 3, H, W) -> flow (B, 2, h, w) as (dx, dy), in pixels of its own
    grid.

    What is at p in `image` is at p + F(p) in `reference`: warped by it, the reference comes to lie
    over the image.
    """

    def __call__(self, image: "Tensor", reference: "Tensor") -> "Tensor": ...


class Motion(Protocol):
    """Features of all frames (B, T, d, h, w), oldest first -> (B, T' >= 1, d, h, w) with time mixed
    in; the newest frame is last.
    """

    def __call__(self, frames: "Tensor") -> "Tensor": ...


class Align(Protocol):
    """Features of a past and of the newest frame, each (B, d, h, w) -> those of the past frame,
    moved towards the newest one.
    """

    def __call__(self, past: "Tensor", newest: "Tensor") -> "Tensor": ...


class State(Protocol):
    """Stages of the newest frame and its dynamic features (B, d, h, w) -> static features (B, d, h,
    w).
    """

    def __call__(self, stages: Stages, dynamic: "Tensor") -> "Tensor": ...


class Assign(Protocol):
    """Dynamic and static features (B, d, h, w) -> logits and auxiliary logits, all (B, K, h, w)."""

    def __call__(self, dynamic: "Tensor", static: "Tensor") -> Output: ...


class Stream(Protocol):
    """The state of one video. `cycle` is after how many frames its work repeats; its first frame is
    the key frame, if it has those.
    """

    cycle: int

    def step(self, frame: "Tensor") -> "Tensor":
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        ...

    def reset(self) -> None:
        """Forgets the video."""
        ...


class Network(Protocol):
    """A video segmentation network.

    `frames` is how many of a clip's frames it reads, the newest ones; `backbone` holds the weights
    that learn at the backbone's rate; `training_only` names its parts that no inference uses. With
    `recursive` a stream's result depends on all frames since its reset.

    Optional: `parts()` names the parts whose pulse is taken, where they are not the children;
    `deciding` names parts that choose a way through the network, which are not silenced; `extract`,
    `from_features` and `still` let a frozen backbone's features be kept (`MSAF`).
    """

    frames: int
    backbone: "Module"
    training_only: tuple[str, ...]
    recursive: bool

    def __call__(self, clip: "Tensor") -> Output:
        """Clip (B, T, 3, H, W), oldest frame first."""
        ...

    def loss(self, out: Output, labels: "Tensor") -> "Tensor":
        """Labels (B, H, W), void = 255 -> the training loss, a scalar."""
        ...

    def stream(self) -> Stream:
        """A fresh stream: after a clip's frames it gives what the clip gives, and goes on doing so
        at every whole cycle.
        """
        ...
