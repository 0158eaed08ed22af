"""Accel: corrective fusion of two networks (Jain et al., CVPR 2019).

Shapes: B batch, T frames, C channels, K classes, H W image, h w grid (1/16).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.dff import DFF, KeyFrameStream, cut, dff, whole
from msaf_bench.architectures.loss import supervised
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.backbones.resnet import resnet50
from msaf_bench.components.blocks.deeplab import DeepLabFeatures, DeepLabHead, UpdateFeatures
from msaf_bench.components.blocks.warp import LIMIT
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": ()}
#: Blocks per stage of the second network of Accel-18 and Accel-34.
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class Accel(VideoNetwork):
    """Features of a key frame, warped along flow and corrected by a second network.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. `reference` (DFF) warps the
    features from frame to frame, `fusion` contains the second network. A key frame uses the
    reference alone.
    """

    def __init__(self, reference: DFF, fusion: "ScoreFusion | FeatureFusion") -> None:
        super().__init__()
        self.reference = reference
        self.fusion = fusion
        self.frames = reference.frames

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the parts of the reference, the second network if any, and the fusion layer."""
        return {
            "reference": [self.reference.backbone],
            "flow": [self.reference.flow],
            "head": [self.reference.head],
            "update": [child for name, child in self.fusion.named_children() if name != "mix"],
            "fusion": [self.fusion.mix],
        }

    @property
    def backbone(self) -> nn.ModuleList:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All networks that extract features from a frame."""
        return nn.ModuleList([self.reference.backbone, *self.fusion.extractors])

    def forward(self, clip: Tensor) -> Output:
        frames = whole(clip, self.frames)
        features, newest = self.reference.follow(frames), frames[:, -1]
        logits, aux = self.fusion(self.reference, features, newest)
        return Output(cut(logits, clip), {name: cut(scores, clip) for name, scores in aux.items()})

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the fused scores and, in training, of each branch.

        The published networks are trained one after the other.
        """
        return supervised(out, labels)

    def stream(self) -> KeyFrameStream:
        """Return the stream of one video; it keeps the previous frame and its features."""
        return KeyFrameStream(
            self.reference, lambda features, frame: self.fusion(self.reference, features, frame)[0]
        )


class ScoreFusion(nn.Module):
    """Fusion of Accel-18, -34 and -50: a 1x1 convolution mixes two score maps at full size.

    The second network has its own head. (reference, warped features, frame) -> logits (B, K, H, W)
    and, in training, the logits of each branch. The initial result is the mean of both branches.
    """

    def __init__(self, features: nn.Module, head: DeepLabHead, num_classes: int) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.mix = nn.Conv2d(2 * num_classes, num_classes, 1)
        _combine(self.mix, 0.5, 0.5)

    @property
    def extractors(self) -> list[nn.Module]:
        """Networks that extract features from a frame, beside the reference."""
        return [self.features]

    def forward(
        self, reference: DFF, carried: Tensor, frame: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        scores = {"reference": reference.decode(carried), "update": self.head(self.features(frame))}
        return _mixed(self.mix, *scores.values()), scores if self.training else {}


class FeatureFusion(nn.Module):
    """Fusion of Accel-101: a 1x1 convolution mixes warped features with those of the frame.

    The reference's own network extracts both. (reference, warped features, frame) -> logits
    (B, K, H, W) and, in training, the logits of each branch. The initial result is that of the
    frame alone.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.extractors: list[nn.Module] = []
        self.mix = nn.Conv2d(2 * channels, channels, 1)
        _combine(self.mix, 0, 1)

    def forward(
        self, reference: DFF, carried: Tensor, frame: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        current = reference.extract(frame)
        fused = reference.decode(_mixed(self.mix, carried, current))
        own = {"reference": carried, "update": current} if self.training else {}
        return fused, {name: reference.decode(features) for name, features in own.items()}


def _mixed(mix: nn.Conv2d, carried: Tensor, current: Tensor) -> Tensor:
    """Mix warped and current maps, (B, n, h, w) each, by a 1x1 convolution."""

    def share() -> Tensor:
        halves = zip((carried, current), mix.weight.chunk(2, 1), strict=True)
        return memory_share(*(functional.conv2d(x, weight) for x, weight in halves))

    gauge("memory_share", share, part="fusion")
    return mix(torch.cat((carried, current), 1))


def _combine(mix: nn.Conv2d, carried: float, current: float) -> None:
    """Initialise a 1x1 convolution (2n -> n channels) as a weighted sum of its input's halves."""
    identity = torch.eye(mix.out_channels)
    with torch.no_grad():
        mix.weight.copy_(torch.cat((carried * identity, current * identity), 1)[..., None, None])
    nn.init.zeros_(mix.bias)  # pyright: ignore[reportArgumentType]


def accel(
    make: Make,
    num_classes: int,
    *,
    update: int = 18,
    interval: int = 5,
    flow_width: int = 64,
    limit: float = LIMIT,
) -> Accel:
    """Build Accel with a ResNet at 1/16 as its reference.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        update: Number of layers of the second network: 18, 34, 50 or 101.
        interval: Frames from one key frame to the next.
        flow_width: Channels of the flow network's first convolution.
        limit: Bound on flow and offsets, as in `dff`.

    Returns:
        The network. The first width of its second network is 1/32 of the reference's channels.

    Raises:
        UsageError: `update` is none of the four numbers.
    """
    if update not in (*DEPTHS, 50, 101):
        raise UsageError(f"update = {update!r}; choose 18, 34, 50 or 101")
    reference = dff(
        make, num_classes, accel_style=True, interval=interval, flow_width=flow_width, limit=limit
    )
    channels = reference.backbone.width
    if update == 101:
        return Accel(reference, FeatureFusion(channels))
    width = channels // 32
    if update == 50:
        features = DeepLabFeatures(
            resnet50(width=width, output_stride=16), groups=4, reach=2, limit=limit
        )
    else:
        features = UpdateFeatures(DEPTHS[update], channels, width=width, limit=limit)
    return Accel(reference, ScoreFusion(features, DeepLabHead(channels, num_classes), num_classes))


ARCHITECTURE = Architecture(SLOTS, accel)
