"""NetWarp: features of the previous frame, warped to the current one (Gadde et al., ICCV 2017).

Shapes: B batch, T frames, d width of the head's features, K classes, H W image, h w grid.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import AUXILIARY, supervised
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.single_frame import auxiliary_head
from msaf_bench.architectures.stream import WindowStream
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.blocks.warp import bounded, resize_flow, warp
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.components.interfaces import Backbone, Flow, Head
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes"), "flow": ()}


class FlowTransform(nn.Module):
    """Correction of flow (B, 2, h, w) from the frame and the warped past frame, (B, 3, h, w) each.

    At the start it returns the flow unchanged.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.correction = nn.Sequential(
            nn.Conv2d(8, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2, 3, padding=1),
        )
        self.mix = nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(2, 4)[..., None, None])
        nn.init.zeros_(self.mix.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, flow: Tensor, image: Tensor, past: Tensor) -> Tensor:
        return self.mix(torch.cat((flow, self.correction(torch.cat((flow, image, past), 1))), 1))


class NetWarp(VideoNetwork):
    """Single-frame network that blends past features in before its classifier.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W). The warped features are those of the past frame
    before any blend, so the network depends on two frames only. The past frame has no gradient.
    """

    frames = 2
    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(
        self,
        *,
        backbone: Backbone,
        head: Head,
        auxiliary: nn.Module,
        flow: Flow,
        transform: nn.Module,
        flow_scale: float,
        corners: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.stride = backbone.stride
        self.head = head
        self.auxiliary = auxiliary
        self.flow = flow
        self.transform = transform
        self.blend = nn.Parameter(torch.full((2, head.width, 1, 1), 0.5))
        self.flow_scale = flow_scale
        self.corners = corners

    def forward(self, clip: Tensor) -> Output:
        reference, image = newest(clip, self.frames).unbind(1)
        with torch.no_grad():
            past = self.head.features(Stages(*self.backbone(reference)))
        stages = Stages(*self.backbone(image))
        aux = {"auxiliary": self.auxiliary(stages.f4)} if self.training else {}
        return Output(self.decode(self.head.features(stages), image, past, reference), aux)

    def decode(self, features: Tensor, image: Tensor, past: Tensor, reference: Tensor) -> Tensor:
        """Return logits (B, K, H, W) of a frame.

        Args:
            features: Features of the frame (B, d, h, w).
            image: The frame (B, 3, H, W).
            past: Features of the previous frame (B, d, h, w).
            reference: The previous frame (B, 3, H, W).
        """
        flow = self.grid_flow(image, reference)
        now, before = self.blend
        held = before * warp(past, flow)
        gauge("memory_share", lambda: memory_share(held, now * features), part="blend")
        logits = self.head.classify(now * features + held)
        return resize(logits, image, corners=self.corners)

    def grid_flow(self, image: Tensor, reference: Tensor) -> Tensor:
        """Return the transformed flow between two frames (B, 3, H, W).

        It is on the grid of the features, in pixels of that grid.
        """
        flow = resize_flow(self.flow(image, reference), (image.shape[-2], image.shape[-1]))
        flow, image, reference = (
            functional.max_pool2d(x, self.stride, ceil_mode=True) for x in (flow, image, reference)
        )
        flow = flow * self.flow_scale
        return flow + bounded(self.transform(flow, image, warp(reference, flow)) - flow)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy, plus 0.4 of the auxiliary head's."""
        return supervised(out, labels, AUXILIARY)

    def stream(self) -> WindowStream[Tensor, tuple[Tensor, Tensor]]:
        """Return the stream of one video; it keeps the last frame and its features."""
        return WindowStream(self.frames, self._see, self._read)

    def _see(self, frame: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        features = self.head.features(Stages(*self.backbone(frame)))
        return features, (features, frame)

    def _read(
        self, features: Tensor, window: Sequence[tuple[Tensor, Tensor]], frame: Tensor
    ) -> Tensor:
        return self.decode(features, frame, *window[0])


def netwarp(
    make: Make,
    num_classes: int,
    *,
    width: int = 16,
    literal_flow_scale: bool = False,
    corners: bool = True,
) -> NetWarp:
    """Build NetWarp on a backbone, head and flow.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        width: Channels of the first layer of the flow transform.
        literal_flow_scale: Keep flow on the grid in pixels of the image, as in the official deploy
            file.
        corners: Align the corners when logits are enlarged.
    """
    backbone: Backbone = make("backbone")
    return NetWarp(
        backbone=backbone,
        head=make("head", channels=backbone.channels, num_classes=num_classes),
        auxiliary=auxiliary_head(backbone.channels[1], num_classes),
        flow=make("flow"),
        transform=FlowTransform(width=width),
        flow_scale=1.0 if literal_flow_scale else 1 / backbone.stride,
        corners=corners,
    )


ARCHITECTURE = Architecture(SLOTS, netwarp)
