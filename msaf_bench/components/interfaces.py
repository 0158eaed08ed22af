"""Interface of each slot.

Shapes: B batch, N images, T frames, C channels, d width, K classes, H W image, h w grid. A
component of a plug-in need not be a subclass; it only has to accept the same calls.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from torch import Tensor, nn

from msaf_bench.ports import Output, Stages

if TYPE_CHECKING:
    from typing_extensions import TypeIs


class Backbone(nn.Module):
    """Image (N, 3, H, W) -> its last three stages, all on one grid of 1 / `stride`.

    `channels` are those of f3, f4 and f5.
    """

    channels: tuple[int, int, int]
    stride: int

    __call__: Callable[[Tensor], Stages]


P = TypeVar("P")


def offers(module: object, protocol: type[P]) -> "TypeIs[P]":
    """Return whether a module has every attribute that a protocol names.

    `isinstance` does not work here: since Python 3.12 it bypasses `nn.Module.__getattr__` and finds
    no submodule.
    """
    methods = (name for name in vars(protocol) if not name.startswith("_"))
    return all(hasattr(module, name) for name in (*protocol.__annotations__, *methods))


class ResNetLayers(Protocol):
    """A backbone with the layers of a ResNet, under torchvision's names."""

    conv1: nn.Module
    bn1: nn.Module
    relu: nn.Module
    maxpool: nn.Module
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential


class Head(nn.Module):
    """Stages -> logits (N, K, h, w), in two steps: `classify(features(stages))`.

    `width` is the number of channels of the features.
    """

    width: int

    __call__: Callable[[Stages], Tensor]

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, width, h, w)."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, width, h, w)."""
        raise NotImplementedError

    def forward(self, stages: Stages) -> Tensor:
        return self.classify(self.features(stages))


class Flow(nn.Module):
    """Optical flow: two normalised frames (B, 3, H, W) -> flow (B, 2, h, w).

    Flow is (dx, dy) in pixels of its own grid. The point p of `image` is found at p + F(p) in
    `reference`, so warping the reference by the flow aligns it with the image.
    """

    __call__: Callable[[Tensor, Tensor], Tensor]


class Motion(nn.Module):
    """Features of T frames (B, T, d, h, w), oldest first -> features mixed over time.

    The result is (B, T' >= 1, d, h, w) with the newest frame last. `frames` is T.
    """

    frames: int

    __call__: Callable[[Tensor], Tensor]


class Align(nn.Module):
    """Alignment of a past frame with the newest one.

    Features of both, (B, d, h, w) each -> aligned features of the past frame.
    """

    __call__: Callable[[Tensor, Tensor], Tensor]


class State(nn.Module):
    """Static features of the newest frame.

    Its stages and dynamic features (B, d, h, w) -> static features (B, d, h, w).
    """

    __call__: Callable[[Stages, Tensor], Tensor]


class Assign(nn.Module):
    """Dynamic and static features (B, d, h, w) -> logits and auxiliary logits, all (B, K, h, w)."""

    __call__: Callable[[Tensor, Tensor], Output]


class Teacher(nn.Module):
    """A larger network for the distillation of a student.

    Image (N, 3, H, W) -> pyramid (N, 2C, h, w) and logits (N, K, h, w). If `active` is false, there
    is nothing to distil and it is not called.
    """

    active: bool

    __call__: Callable[[Tensor], tuple[Tensor, Tensor]]

    def classify(self, pyramid: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for a pyramid (N, 2C, h, w)."""
        raise NotImplementedError
