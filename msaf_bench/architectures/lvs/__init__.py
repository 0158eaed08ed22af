"""In the style of LVS: low-latency video semantic segmentation (Li et al., CVPR 2018).

Shapes: B batch, N images, T frames, C channels, d width, K classes, H W image, h w grid (1/8). Low
features (N, C, h, w) come from an early point of layer3, high features from the layers after it.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.lvs.key_frames import SCHEDULES, Fixed, Propagation, Scheduler
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Backbone, Head, ResNetLayers, offers
from msaf_bench.components.whole_batch import draw_each
from msaf_bench.errors import UsageError, one_of
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}


class Key(NamedTuple):
    """Data of a key frame for later frames."""

    features: Tensor  #: (B, d, h, w), input of the classifier
    reduced: Tensor  #: (B, width, h, w), input of the kernel predictor
    scheduled: Tensor  #: (B, width, h, w), input of the scheduler


class LVS(VideoNetwork):
    """Low features of every frame, high features of key frames only.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. On other frames, a spatially
    variant convolution propagates the key frame's features. Its kernels are predicted from the low
    features of both frames; the result is mixed with the frame's own low features. Every
    `frames`-th frame is a key frame. A frame is also a key frame if the scheduler expects more than
    the share `threshold` of the labels to differ. The head must read F5 alone. In training the key
    frame is a random past frame.
    """

    deciding = ("scheduler",)

    def __init__(
        self,
        *,
        backbone: nn.Module,
        head: Head,
        propagation: Propagation,
        scheduler: Scheduler | Fixed,
        split: int,
        frames: int,
        threshold: float,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.propagation = propagation
        self.scheduler = scheduler
        self.split = split
        self.frames = frames
        self.threshold = threshold

    def low(self, frames: Tensor) -> Tensor:
        """Return low features for frames (N, 3, H, W)."""
        net = cast("ResNetLayers", self.backbone)
        x = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(frames))))))
        for block in list(net.layer3)[: self.split]:
            x = block(x)
        return x

    def high(self, low: Tensor) -> Tensor:
        """Return the input of the classifier, (N, d, h, w), for low features."""
        net, f4 = cast("ResNetLayers", self.backbone), low
        for block in list(net.layer3)[self.split :]:
            f4 = block(f4)
        return self.head.features(Stages(low, f4, net.layer4(f4)))

    def key(self, low: Tensor) -> Key:
        """Return the data of a key frame for its low features."""
        return Key(self.high(low), self.propagation.reduce(low), self.scheduler.reduce(low))

    def propagate(self, key: Key, low: Tensor) -> Tensor:
        """Propagate the features of a key frame to a frame with the given low features.

        The result is the input of the classifier, (N, d, h, w).
        """
        return self.propagation(key.features, key.reduced, low)

    def forward(self, clip: Tensor) -> Output:
        frames = newest(clip, self.frames)
        return self._pair(frames) if self.training else self._follow(frames)

    def _follow(self, clip: Tensor) -> Output:
        """Return a stream's result at the clip's newest frame.

        High features are computed for one frame per clip.
        """
        flat = self.low(clip.flatten(0, 1))
        low, scheduled = (
            x.view(*clip.shape[:2], *x.shape[1:]) for x in (flat, self.scheduler.reduce(flat))
        )
        rows = torch.arange(len(clip), device=clip.device)
        index = torch.zeros_like(rows)
        for t in range(1, self.frames):
            index = torch.where(
                self.scheduler(scheduled[:, t], scheduled[rows, index]) > self.threshold, t, index
            )
        key_low, is_key = low[rows, index], (index == self.frames - 1).view(-1, 1, 1, 1)
        gauge("key_rate", lambda: is_key.float().mean(), part="scheduler")
        features = self.high(key_low)
        propagated = self.propagation(features, self.propagation.reduce(key_low), low[:, -1])
        return Output(
            self.enlarge(self.head.classify(torch.where(is_key, features, propagated)), clip), {}
        )

    def _pair(self, clip: Tensor) -> Output:
        """Return the training output: the newest frame propagated from a random past one.

        The auxiliary outputs include the result of the newest frame's own high features.
        """
        rows = torch.arange(len(clip), device=clip.device)
        past = clip[rows, draw_each(self.frames - 1, len(clip), clip.device)]
        low = self.low(torch.cat((past, clip[:, -1])))
        key_low, newest_low = low.chunk(2)
        features, own = self.high(low).chunk(2)
        aux = {"direct": self.head.classify(own)}
        if isinstance(self.scheduler, Scheduler):
            key_scheduled, newest_scheduled = self.scheduler.reduce(low.detach()).chunk(2)
            aux["deviation"] = self.scheduler(newest_scheduled, key_scheduled)
            aux["changed"] = (self._labels(features) != self._labels(own)).float().mean((1, 2))
        propagated = self.propagation(features, self.propagation.reduce(key_low), newest_low)
        return Output(self.enlarge(self.head.classify(propagated), clip), aux)

    @torch.no_grad()
    def _labels(self, features: Tensor) -> Tensor:
        """Return predicted classes (N, h, w) for features (N, d, h, w), without dropout.

        Dropout would make equal labels differ.
        """
        self.head.eval()
        labels = self.head.classify(features).argmax(1)
        self.head.train()
        return labels

    def enlarge(self, logits: Tensor, frames: Tensor) -> Tensor:
        """Resize logits (N, K, h, w) bilinearly to the size of the frames."""
        return resize(logits, frames)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the propagated and of the direct result.

        The scheduler's squared error against the predicted labels is added.
        """
        total = cross_entropy(out.logits, labels)
        if "direct" in out.aux:
            total = total + cross_entropy(out.aux["direct"], labels)
        if "deviation" in out.aux:
            total = total + functional.mse_loss(out.aux["deviation"], out.aux["changed"])
        return total

    def stream(self) -> "LVSStream":
        """Return the stream of one video; it keeps the key frame's data."""
        return LVSStream(self)


class LVSStream:
    """Stream of one video, frame by frame.

    The first frame is a key frame. In a batch each video has its own key frames.
    """

    def __init__(self, net: LVS) -> None:
        self.net = net
        self.cycle = net.frames
        self.reset()

    def reset(self) -> None:
        """Forget the video."""
        self.position = 0
        self.key: Key | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        features = self._features(self.net.low(frame))
        self.position = (self.position + 1) % self.cycle
        return self.net.enlarge(self.net.head.classify(features), frame)

    def _features(self, low: Tensor) -> Tensor:
        net, key = self.net, self.key
        if key is None or self.position == 0:
            gauge("key_rate", lambda: 1.0, part="scheduler")
            self.key = net.key(low)
            return self.key.features
        if torch.jit.is_tracing() and isinstance(net.scheduler, Scheduler):  # pyright: ignore
            raise UsageError(
                "lvs: an adaptive stream depends on the video and cannot be traced; set schedule ="
                " 'fixed'"
            )
        fired = net.scheduler(net.scheduler.reduce(low), key.scheduled) > net.threshold
        gauge("key_rate", lambda: fired.float().mean(), part="scheduler")
        if low.is_meta or not fired.any():
            return net.propagate(key, low)
        calm = ~fired
        carried = net.propagate(Key(*(x[calm] for x in key)), low[calm])
        self.key = Key(
            *(
                old.index_put((fired,), new)
                for old, new in zip(key, net.key(low[fired]), strict=True)
            )
        )
        return self.key.features.index_put((calm,), carried)


def lvs(
    make: Make,
    num_classes: int,
    *,
    width: int = 256,
    kernel: int = 9,
    split: int = 3,
    interval: int = 5,
    schedule: str = "adaptive",
    threshold: float = 0.3,
) -> LVS:
    """Build LVS on a ResNet.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        width: Channels of the reduced low features.
        kernel: Side of the predicted kernels; odd.
        split: Number of blocks of layer3 that compute low features.
        interval: Largest distance between key frames, in frames.
        schedule: "adaptive", or "fixed" for key frames at the interval only.
        threshold: Expected share of changed labels that makes a frame a key frame.

    Raises:
        UsageError: The backbone has no such layers or blocks, `kernel` is even, or `interval` is
            below 2.
    """
    backbone: Backbone = make("backbone")
    if not offers(backbone, ResNetLayers):
        raise UsageError(
            "lvs splits a ResNet after some blocks of layer3; choose resnet18, resnet50 or"
            " resnet101"
        )
    if not 0 <= split <= len(backbone.layer3):
        raise UsageError(
            f"split = {split}: layer3 of this backbone has {len(backbone.layer3)} blocks; give 0 to"
            f" {len(backbone.layer3)}"
        )
    if kernel % 2 == 0:
        raise UsageError(f"kernel = {kernel}; give an odd number")
    if interval < 2:
        raise UsageError(f"interval = {interval}; give at least 2")
    head: Head = make("head", channels=backbone.channels, num_classes=num_classes)
    channels = backbone.channels[1 if split else 0]
    return LVS(
        backbone=backbone,
        head=head,
        propagation=Propagation(channels, head.width, width, kernel),
        scheduler=SCHEDULES[one_of("schedule", schedule, SCHEDULES)](channels, width),
        split=split,
        frames=interval,
        threshold=threshold,
    )


ARCHITECTURE = Architecture(SLOTS, lvs)
