"""Single-frame network: PSPNet, HRNet and networks that differ from them in training only.

Shapes: B batch, T frames, K classes, H W image, h w grid.
"""

from typing import Any

from torch import Tensor, nn

from msaf_bench.architectures.loss import AUXILIARY_WEIGHT, cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.stream import FrameStream
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.components.whole_batch import draw_order
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
#: largest distance, in frames, of a neighbour used in training (Liu et al. 2020)
REACH = 3


class SingleFrame(VideoNetwork):
    """Backbone and head: clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame.

    In training an auxiliary head reads F4.
    """

    frames = 1
    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(
        self,
        *,
        backbone: nn.Module,
        head: Head,
        auxiliary: nn.Module | None,
        weight: float,
        corners: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        if auxiliary is None:
            self.training_only = tuple(name for name in self.training_only if name != "auxiliary")
        self.weight = weight
        self.corners = corners

    def forward(self, clip: Tensor) -> Output:
        stages = Stages(*self.backbone(clip[:, -1]))
        return Output(
            self.enlarge(self.head(stages), clip), self.supervise(stages) if self.training else {}
        )

    def supervise(self, stages: Stages) -> dict[str, Tensor]:
        """Return the auxiliary head's logits by name; empty without an auxiliary head."""
        return {"auxiliary": self.auxiliary(stages.f4)} if self.auxiliary else {}

    def enlarge(self, logits: Tensor, frames: Tensor) -> Tensor:
        """Resize logits (N, K, h, w) bilinearly to the size of the frames."""
        return resize(logits, frames, corners=self.corners)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy and, in training, the weighted one of the auxiliary head."""
        total = cross_entropy(out.logits, labels)
        if "auxiliary" in out.aux:
            total += self.weight * cross_entropy(self.enlarge(out.aux["auxiliary"], labels), labels)
        return total

    def stream(self) -> FrameStream:
        """Return a stream without state."""
        return FrameStream(self)


def auxiliary_head(channels: int, num_classes: int) -> nn.Sequential:
    """Build the auxiliary head, for training only: F4 (N, C, h, w) -> logits (N, K, h, w)."""
    width = min(256, channels)
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout2d(0.1),
        nn.Conv2d(width, num_classes, 1),
    )


def neighbours(clip: Tensor, count: int) -> list[Tensor]:
    """Draw up to `count` frames (B, 3, H, W) before a clip's newest one, nearest first.

    The clip is (B, T, 3, H, W). Frames are drawn from the last `REACH` before the newest one; a
    short clip gives fewer.
    """
    gaps = 1 + draw_order(min(REACH, clip.shape[1] - 1))[:count].sort().values
    return [clip[:, -1 - int(gap)] for gap in gaps]


def parts(make: Make, num_classes: int, *, corners: bool, auxiliary: float) -> dict[str, Any]:
    """Build the parts of a single-frame network, as keyword arguments of `SingleFrame`.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        corners: Align the corners when logits are enlarged.
        auxiliary: Weight of the auxiliary head; 0 for none.
    """
    backbone: Backbone = make("backbone")
    return {
        "backbone": backbone,
        "head": make("head", channels=backbone.channels, num_classes=num_classes),
        "auxiliary": auxiliary_head(backbone.channels[1], num_classes) if auxiliary else None,
        "weight": auxiliary,
        "corners": corners,
    }


def single_frame(
    make: Make, num_classes: int, *, corners: bool = True, auxiliary: float = AUXILIARY_WEIGHT
) -> SingleFrame:
    """Build a single-frame network from a backbone and a head.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        corners: Align the corners when logits are enlarged, as PSPNet does.
        auxiliary: Weight of the auxiliary head; 0 for none.
    """
    return SingleFrame(**parts(make, num_classes, corners=corners, auxiliary=auxiliary))


ARCHITECTURE = Architecture(SLOTS, single_frame)
