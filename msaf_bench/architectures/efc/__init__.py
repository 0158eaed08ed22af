"""In the style of EFC: joint learning of segmentation and flow (Ding et al., AAAI 2020).

EFC is short for Every Frame Counts. Shapes: B batch, T frames, C channels, K classes, H W image,
h w grid.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.efc.flow_loss import (
    balanced_cross_entropy,
    masked_mean,
    occlusion,
    photometric,
    smoothness,
)
from msaf_bench.architectures.loss import AUXILIARY_WEIGHT, cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.single_frame import auxiliary_head
from msaf_bench.architectures.stream import FrameStream
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.blocks.warp import bounded, warp
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.components.whole_batch import draw
from msaf_bench.data.transforms import denormalise
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
#: weights of the losses
WEIGHTS = {
    "auxiliary": AUXILIARY_WEIGHT,
    "consistency": 0.1,
    "photometric": 1.0,
    "smoothness": 0.1,
    "occlusion": 0.1,
}


class FlowEstimate(NamedTuple):
    """Flow to the other frame at one scale, and the logit of occlusion there."""

    flow: Tensor  #: (N, 2, h, w), in pixels of its grid
    occluded: Tensor  #: (N, 1, h, w)


class FlowBlock(nn.Module):
    """Features (N, C, h, w) -> features of `width` channels, and flow with occlusion.

    Two heads predict flow and occlusion from the new features.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.mix = conv_bn_relu(channels, width, 3)
        self.flow = nn.Conv2d(width, 2, 3, padding=1)
        self.occluded = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width // 2, 1, 3, padding=1),
        )
        nn.init.normal_(self.flow.weight, std=0.001)  # flow begins near zero
        nn.init.zeros_(self.flow.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> tuple[Tensor, FlowEstimate]:
        x = self.mix(x)
        return x, FlowEstimate(bounded(self.flow(x).float()), self.occluded(x).float())


class FlowDecoder(nn.Module):
    """Features of a frame and of another one (N, C, h, w) -> flow and occlusion at three scales.

    The scales are the grid and grids 2 and 4 times finer.
    """

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        widths = (2 * channels, width, width // 2, width // 4)
        self.blocks = nn.ModuleList(
            FlowBlock(inputs, outputs) for inputs, outputs in pairwise(widths)
        )

    def forward(self, features: Tensor, other: Tensor) -> list[FlowEstimate]:
        x, estimates = torch.cat((features, other), 1), list[FlowEstimate]()
        for i, block in enumerate(self.blocks):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear") if i else x
            x, estimate = block(x)
            estimates.append(estimate)
        return estimates


class EFC(VideoNetwork):
    """Single-frame network: clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame.

    In training a decoder predicts flow between the newest frame and one of up to `reach` frames
    before it, from the features F4 of both. A loss makes these features agree along the flow at
    visible places. A clip of one frame is trained without flow.
    """

    frames = 1
    batchwise_loss = True
    training_only: tuple[str, ...] = ("auxiliary", "decoder")

    def __init__(
        self,
        *,
        backbone: nn.Module,
        head: Head,
        auxiliary: nn.Module,
        decoder: nn.Module,
        reach: int,
        corners: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.decoder = decoder
        self.reach = reach
        self.corners = corners

    def forward(self, clip: Tensor) -> Output:
        image, past = clip[:, -1], clip[:, -1 - self.reach : -1]
        stages, aux = Stages(*self.backbone(image)), dict[str, Tensor]()
        if self.training:
            aux["auxiliary"] = self.auxiliary(stages.f4)
        if self.training and past.shape[1]:
            other = past[:, draw(past.shape[1])]
            aux |= self.motion_losses(
                torch.cat((image, other)), torch.cat((stages.f4, Stages(*self.backbone(other)).f4))
            )
        return Output(resize(self.head(stages), image, corners=self.corners), aux)

    def motion_losses(self, images: Tensor, features: Tensor) -> dict[str, Tensor]:
        """Return the losses of flow by name, averaged over the scales.

        Images (2B, 3, H, W) and F4 (2B, C, h, w) contain both frames of every pair.
        """
        estimates: list[FlowEstimate] = self.decoder(features, _swapped(features))
        pictures = denormalise(images)
        terms = [_motion_terms(pictures, estimate) for estimate in estimates]
        losses = {name: torch.stack([term[name] for term in terms]).mean() for name in terms[0]}
        coarse, visible = estimates[0].flow, 1 - estimates[0].occluded.detach().sigmoid()
        return losses | {
            "consistency": masked_mean(
                (features - warp(_swapped(features), coarse)).float() ** 2, visible
            )
        }

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy and, in training, the auxiliary and the flow losses.

        The flow losses need no labels.
        """
        terms = {
            name: cross_entropy(x, labels) if name == "auxiliary" else x
            for name, x in out.aux.items()
        }
        return sum(
            (WEIGHTS[name] * term for name, term in terms.items()),
            cross_entropy(out.logits, labels),
        )

    def stream(self) -> FrameStream:
        """Return a stream without state."""
        return FrameStream(self)


def _motion_terms(pictures: Tensor, estimate: FlowEstimate) -> dict[str, Tensor]:
    """Return the losses of one scale by name."""
    flow, occluded = estimate
    target = occlusion(_swapped(flow))
    pictures = functional.interpolate(
        pictures, (flow.shape[-2], flow.shape[-1]), mode="bilinear", antialias=True
    )
    error = photometric(pictures, warp(_swapped(pictures), flow))
    return {
        "photometric": masked_mean(error, 1 - target),
        "smoothness": smoothness(flow, pictures),
        "occlusion": balanced_cross_entropy(occluded, target),
    }


def _swapped(x: Tensor) -> Tensor:
    """Return the other frame of each pair (2B, ...), first frames before second ones."""
    return x.roll(len(x) // 2, 0)


def efc(
    make: Make, num_classes: int, *, width: int = 512, reach: int = 5, corners: bool = True
) -> EFC:
    """Build EFC on a backbone and a head.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        width: Channels of the flow decoder's first block; each later block halves it.
        reach: Largest distance between the two frames of flow, in frames.
        corners: Align the corners when logits are enlarged.

    Raises:
        UsageError: `width` is below 8 or `reach` below 1.
    """
    if width < 8 or reach < 1:
        raise UsageError(
            f"width = {width}, reach = {reach}; give a width of at least 8 and a reach of at"
            " least 1"
        )
    backbone: Backbone = make("backbone")
    return EFC(
        backbone=backbone,
        head=make("head", channels=backbone.channels, num_classes=num_classes),
        auxiliary=auxiliary_head(backbone.channels[1], num_classes),
        decoder=FlowDecoder(backbone.channels[1], width=width),
        reach=reach,
        corners=corners,
    )


ARCHITECTURE = Architecture(SLOTS, efc)
