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
    """The features of a key frame, carried to a later frame along learned flow: clip (B, T, 3, H,
    W) -> logits of the newest frame.

    The oldest of the clip's newest `frames` frames is the key frame. Flow leads from the newest
    frame straight to the key frame, and a learned map scales what was carried; with `chained`
    (Accel's version) it leads from frame to frame, and wider features are carried as they are.
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
                f"interval = {interval}: there is no frame between two key frames; give at least 2"
            )
        self.frames = interval
        self.chained = chained
        self.backbone = backbone  # pyright: ignore[reportIncompatibleVariableOverride]
        self.head = DeepLabHead(backbone.width, num_classes)
        self.flow = FeatureFlow(self.head.width, width=flow_width, limit=limit)
        if chained:
            # its weights are part of the published network, which leaves its result unused
            self.flow.scale.requires_grad_(False)

    def forward(self, clip: Tensor) -> Output:
        frames = whole(clip, self.frames)
        return Output(cut(self.decode(self.follow(frames)), clip), {})

    def extract(self, frame: Tensor) -> Tensor:
        """A frame (B, 3, H, W) -> the features that are carried, (B, C, h, w)."""
        x = self.backbone(frame)
        return x if self.chained else self.head.features(x)

    def carry(self, features: Tensor, source: Tensor, frame: Tensor) -> Tensor:
        """Features of the frame `source` -> those of `frame`."""
        if self.chained:
            return warp(features, self.flow(frame, source), outside="zeros")
        flow, scale = self.flow.scaled(frame, source)
        return warp(features, flow, outside="zeros") * scale

    def follow(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) -> the features of the oldest one, carried to the newest."""
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
        """Features -> logits (B, K, H, W)."""
        return self.head(features) if self.chained else self.head.classify(features)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Cross-entropy at the newest frame; flow learns from it alone."""
        return cross_entropy(out.logits, labels)

    def stream(self) -> "KeyFrameStream":
        """The state of one video: the frame whose features are carried, and these."""
        return KeyFrameStream(self, lambda features, _: self.decode(features))


class KeyFrameStream:
    """One video: every `cycle`-th frame is a key frame, decoded alone; `between` gives the logits
    of the others.

    `between` takes the features carried to a frame, and the frame.
    """

    def __init__(self, net: DFF, between: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.net = net
        self.between = between
        self.cycle = net.frames
        self.reset()

    def reset(self) -> None:
        """Forgets the video: the next frame is a key frame."""
        self.index = 0
        self.carried: tuple[Tensor, Tensor] | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
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
    """The newest frames of a clip, filled up with zeros (the mean colour) to sides of multiples of
    16. Raises `UsageError`.
    """
    return functional.pad(
        newest(clip, frames), (0, -clip.shape[-1] % STRIDE, 0, -clip.shape[-2] % STRIDE)
    )


def cut(logits: Tensor, frames: Tensor) -> Tensor:
    """Logits (B, K, H', W') without what the frames (..., H, W) were filled up with."""
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
    """DFF on the ResNet at 1/16 that `make` gives, a key frame every `interval` frames.
    `flow_width` is the flow network's first width.

    `limit` holds flow and the offsets of a deformable stage within that share of the map's sides,
    and no less than one cell; 0: no limit, as published. `accel_style` makes it the variant that
    Accel compares with: a deformable last stage, and features carried from frame to frame.
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
