"""What the parts ask of each other, as protocols. Shapes: B batch, T frames, C channels, d width, K classes, H W image, h w grid (1/8)."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Stages(NamedTuple):
    """The features of a backbone's last three stages, all on one grid: each (N, C, h, w)."""

    f3: "Tensor"
    f4: "Tensor"
    f5: "Tensor"


class Output(NamedTuple):
    """What a network gives for a clip."""

    logits: "Tensor"  #: (B, K, H, W), for the newest frame
    aux: "dict[str, Tensor]"  #: {name: (B, K, h, w)}, what the losses read beside the logits


class Backbone(Protocol):
    """Image (N, 3, H, W) -> stages at stride 8; `channels` are those of f3, f4, f5."""

    channels: tuple[int, int, int]

    def __call__(self, image: "Tensor") -> Stages: ...


class Motion(Protocol):
    """Features of all frames (B, T, d, h, w), oldest first -> the same shape, with time mixed in."""

    def __call__(self, frames: "Tensor") -> "Tensor": ...


class Align(Protocol):
    """Features of a past frame (B, d, h, w) -> the same shape, moved towards the newest frame."""

    def __call__(self, frame: "Tensor") -> "Tensor": ...


class State(Protocol):
    """Stages of the newest frame and its dynamic features (B, d, h, w) -> static features (B, d, h, w)."""

    def __call__(self, stages: Stages, dynamic: "Tensor") -> "Tensor": ...


class Assign(Protocol):
    """Dynamic and static features (B, d, h, w) -> logits and auxiliary logits, all (B, K, h, w)."""

    def __call__(self, dynamic: "Tensor", static: "Tensor") -> Output: ...


class Stream(Protocol):
    """The state of one video."""

    def step(self, frame: "Tensor") -> "Tensor":
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        ...

    def reset(self) -> None:
        """Forgets the video."""
        ...


class Network(Protocol):
    """A video segmentation network."""

    def __call__(self, clip: "Tensor") -> Output:
        """Clip (B, T, 3, H, W), oldest frame first."""
        ...

    def loss(self, out: Output, labels: "Tensor") -> "Tensor":
        """Labels (B, H, W), void = 255 -> the training loss, a scalar."""
        ...

    def stream(self) -> Stream:
        """A fresh stream, which in steady state gives what a clip of the same frames gives."""
        ...
