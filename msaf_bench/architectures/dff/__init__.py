"""DFF: deep feature flow (Zhu et al., CVPR 2017), for segmentation.

Shapes: B batch, T frames, C channels, K classes, H W image, h w grid (1/16).
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.dff.feature_flow import FeatureFlow
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.blocks.deeplab import STRIDE, DeepLabFeatures, DeepLabHead
from msaf_bench.components.blocks.warp import LIMIT, warp
from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Backbone
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": ()}


class DFF(VideoNetwork):
    """Features of a key frame, warped to a later frame along learned flow.

    Clip (B, T, 3, H, W) -> logits of the newest frame. The key frame is the oldest of the clip's
    newest `frames` frames. Flow leads directly from the newest frame to the key frame, and a
    learned map scales the warped features. With `chained` (Accel's version) flow leads from frame
    to frame, and wider features are warped without a scale.
    """

    backbone: DeepLabFeatures

    def __init__(
        self,
        *,
        backbone: DeepLabFeatures,
        num_classes: int,
        interval: int,
        chained: bool,
        flow_width: int,
        limit: float,
    ) -> None:
        super().__init__()
        if interval < 2:
            raise UsageError(
                f"interval = {interval} leaves no frame between two key frames; give at least 2"
            )
        self.frames = interval
        self.chained = chained
        self.backbone = backbone  # pyright: ignore[reportIncompatibleVariableOverride]
        self.head = DeepLabHead(backbone.width, num_classes)
        self.flow = FeatureFlow(self.head.width, width=flow_width, limit=limit)
        if chained:
            # the published network has these weights but does not use their result
            self.flow.scale.requires_grad_(False)

    def forward(self, clip: Tensor) -> Output:
        frames = whole(clip, self.frames)
        return Output(cut(self.decode(self.follow(frames)), clip), {})

    def extract(self, frame: Tensor) -> Tensor:
        """Return the features to warp, (B, C, h, w), for a frame (B, 3, H, W)."""
        x = self.backbone(frame)
        return x if self.chained else self.head.features(x)

    def carry(self, features: Tensor, source: Tensor, frame: Tensor) -> Tensor:
        """Warp features of the frame `source` to `frame`."""
        if self.chained:
            return warp(features, self.flow(frame, source), outside="zeros")
        flow, scale = self.flow.scaled(frame, source)
        return warp(features, flow, outside="zeros") * scale

    def follow(self, frames: Tensor) -> Tensor:
        """Return features of the oldest of the frames (B, T, 3, H, W), warped to the newest one."""
        features = self.extract(frames[:, 0])
        if not self.chained:
            return self.carry(features, frames[:, 0], frames[:, -1])
        flows = self.flow(frames[:, 1:].flatten(0, 1), frames[:, :-1].flatten(0, 1)).unflatten(
            0, (frames.shape[0], -1)
        )
        for flow in flows.unbind(1):
            features = warp(features, flow, outside="zeros")
        return features

    def decode(self, features: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for features."""
        return self.head(features) if self.chained else self.head.classify(features)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy at the newest frame; flow has no other loss."""
        return cross_entropy(out.logits, labels)

    def stream(self) -> "KeyFrameStream":
        """Return the stream of one video; it keeps a frame and its features."""
        return KeyFrameStream(self, lambda features, _: self.decode(features))


class KeyFrameStream:
    """Stream of one video in which every `cycle`-th frame is a key frame.

    A key frame is decoded alone. For all other frames `between` returns the logits; it takes the
    features warped to the frame, and the frame.
    """

    def __init__(self, net: DFF, between: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.net = net
        self.between = between
        self.cycle = net.frames
        self.reset()

    def reset(self) -> None:
        """Forget the video; the next frame is a key frame."""
        self.index = 0
        self.carried: tuple[Tensor, Tensor] | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        net, image = self.net, whole(frame[:, None], 1)[:, 0]
        due = self.carried is None or self.index % self.cycle == 0
        gauge("key_rate", lambda: float(due), part="key_frames")
        if self.carried is None or due:
            features = net.extract(image)
            logits = net.decode(features)
            self.carried = features, image
        else:
            features = net.carry(*self.carried, image)
            logits = self.between(features, image)
            self.carried = (features, image) if net.chained else self.carried
        self.index += 1
        return cut(logits, frame)


def whole(clip: Tensor, frames: int) -> Tensor:
    """Return the newest frames of a clip, padded to sides that are multiples of 16.

    The padding is 0, the mean colour. Raises `UsageError` if the clip has too few frames.
    """
    return functional.pad(
        newest(clip, frames), (0, -clip.shape[-1] % STRIDE, 0, -clip.shape[-2] % STRIDE)
    )


def cut(logits: Tensor, frames: Tensor) -> Tensor:
    """Crop logits (B, K, H', W') to the size of the frames (..., H, W)."""
    return logits[..., : frames.shape[-2], : frames.shape[-1]]


def dff(
    make: Make,
    num_classes: int,
    *,
    accel_style: bool = False,
    interval: int = 5,
    flow_width: int = 64,
    limit: float = LIMIT,
) -> DFF:
    """Build DFF on a ResNet at 1/16.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        accel_style: Build the baseline of Accel: a deformable last stage, and features warped from
            frame to frame.
        interval: Frames from one key frame to the next.
        flow_width: Channels of the flow network's first convolution.
        limit: Bound on flow and on the offsets of a deformable stage, as a share of the map's
            sides, but at least one cell; 0 for no bound, as published.
    """
    backbone: Backbone = make("backbone")
    features = DeepLabFeatures(backbone, groups=1 if accel_style else 0, limit=limit)
    return DFF(
        backbone=features,
        num_classes=num_classes,
        interval=interval,
        chained=accel_style,
        flow_width=flow_width,
        limit=limit,
    )


ARCHITECTURE = Architecture(SLOTS, dff)
