"""A network of one frame: PSPNet, HRNet and all that differ from such a network only in their training.

Shapes: B batch, T frames, K classes, H W image, h w grid.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Make

SLOTS = ("backbone", "head")
AUXILIARY_WEIGHT = 0.4  #: of the auxiliary loss (Zhao et al. 2017)


class SingleFrame(nn.Module):
    """Backbone and head: clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. In training an auxiliary head reads F4."""

    frames = 1
    recursive = False
    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(self, *, backbone: nn.Module, head: nn.Module, auxiliary: nn.Module, corners: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.corners = corners

    def forward(self, clip: Tensor) -> Output:
        stages = Stages(*self.backbone(clip[:, -1]))
        aux = {"auxiliary": self.auxiliary(stages)} if self.training else {}
        return Output(self.enlarge(self.head(stages), clip), aux)

    def enlarge(self, logits: Tensor, frames: Tensor) -> Tensor:
        """Logits (N, K, h, w) bilinearly to the size of the frames."""
        size = (frames.shape[-2], frames.shape[-1])
        return functional.interpolate(logits, size, mode="bilinear", align_corners=self.corners)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Cross-entropy, and 0.4 of the auxiliary head's."""
        return sum((AUXILIARY_WEIGHT * cross_entropy(mask, labels) for mask in out.aux.values()), cross_entropy(out.logits, labels))

    def stream(self) -> "FrameByFrame":
        """Keeps nothing."""
        return FrameByFrame(self)


class FrameByFrame:
    """The stream of a network of one frame."""

    cycle = 1

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def reset(self) -> None:
        """There is nothing to forget."""

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        return self.net(frame[:, None]).logits


class Auxiliary(nn.Sequential):
    """The auxiliary head: F4 -> logits (N, K, h, w), for training alone."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int) -> None:
        width = min(256, channels[1])
        super().__init__(
            nn.Conv2d(channels[1], width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(width, num_classes, 1),
        )

    def forward(self, stages: Stages) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(stages.f4)


def single_frame(make: Make, num_classes: int, *, corners: bool = True) -> SingleFrame:
    """The network of the backbone and head that `make` gives; `corners` aligns the corners when logits are enlarged, as PSPNet does."""
    backbone: Any = make("backbone")
    return SingleFrame(
        backbone=backbone,
        head=make("head", channels=backbone.channels, num_classes=num_classes),
        auxiliary=Auxiliary(backbone.channels, num_classes),
        corners=corners,
    )
