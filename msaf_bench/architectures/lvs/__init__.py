"""In the style of LVS, low-latency video semantic segmentation (Li et al., CVPR 2018).

Shapes: B batch, N images, T frames, C channels, d width, K classes, H W image, h w grid (1/8). Low
features are those early in layer3, (N, C, h, w).
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
    """What later frames read of their key frame."""

    features: Tensor  #: (B, d, h, w), what the classifier reads
    reduced: Tensor  #: (B, width, h, w), for the kernels
    scheduled: Tensor  #: (B, width, h, w), for the scheduler


class LVS(VideoNetwork):
    """Low features of every frame, high ones of key frames alone: clip (B, T, 3, H, W) -> logits
    (B, K, H, W) of the newest frame.

    Elsewhere the key frame's features are carried over by a spatially variant convolution, with
    kernels out of both frames' low features, and mixed with the frame's own low features. Every
    `frames`-th frame is a key frame, and so is one for which the scheduler expects that more than
    `threshold` of the labels differ. A head reads F5 alone. In training any of the past frames is
    the key frame.
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
        """Frames (N, 3, H, W) -> low features."""
        net = cast("ResNetLayers", self.backbone)
        x = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(frames))))))
        for block in list(net.layer3)[: self.split]:
            x = block(x)
        return x

    def high(self, low: Tensor) -> Tensor:
        """Low features -> what the classifier reads, (N, d, h, w)."""
        net, f4 = cast("ResNetLayers", self.backbone), low
        for block in list(net.layer3)[self.split :]:
            f4 = block(f4)
        return self.head.features(Stages(low, f4, net.layer4(f4)))

    def key(self, low: Tensor) -> Key:
        """What is kept of a key frame with these low features."""
        return Key(self.high(low), self.propagation.reduce(low), self.scheduler.reduce(low))

    def propagate(self, key: Key, low: Tensor) -> Tensor:
        """Low features -> what the classifier reads, (N, d, h, w), carried over from the
        key frame.
        """
        return self.propagation(key.features, key.reduced, low)

    def forward(self, clip: Tensor) -> Output:
        frames = newest(clip, self.frames)
        return self._pair(frames) if self.training else self._follow(frames)

    def _follow(self, clip: Tensor) -> Output:
        """What a stream gives at the clip's newest frame, with the high features of one frame a
        clip.
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
        """Training: the newest frame from a random past one, with its own high features beside."""
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
        """(N, d, h, w) -> predicted classes (N, h, w); dropout would make labels differ that do
        not.
        """
        self.head.eval()
        labels = self.head.classify(features).argmax(1)
        self.head.train()
        return labels

    def enlarge(self, logits: Tensor, frames: Tensor) -> Tensor:
        """Logits (N, K, h, w) bilinearly to the size of the frames."""
        return resize(logits, frames)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Cross-entropy of the propagated and of the direct result, and the scheduler's squared
        error against the predicted labels.
        """
        total = cross_entropy(out.logits, labels)
        if "direct" in out.aux:
            total = total + cross_entropy(out.aux["direct"], labels)
        if "deviation" in out.aux:
            total = total + functional.mse_loss(out.aux["deviation"], out.aux["changed"])
        return total

    def stream(self) -> "LVSStream":
        """The state of one video: its key frame."""
        return LVSStream(self)


class LVSStream:
    """One video, frame by frame; with a batch each has key frames of its own. The first frame is a
    key frame.
    """

    def __init__(self, net: LVS) -> None:
        self.net = net
        self.cycle = net.frames
        self.reset()

    def reset(self) -> None:
        """Forgets the video."""
        self.position = 0
        self.key: Key | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
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
                "lvs: what a stream does depends on the video, so it cannot be traced; schedule ="
                " 'fixed' can"
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
    """LVS on a ResNet of which the first `split` blocks of layer3 are low; `schedule` is
    "adaptive", or "fixed" to the `interval`.

    Raises `UsageError` for a backbone that has no such stages or blocks, an even kernel, and an
    interval below 2.
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
