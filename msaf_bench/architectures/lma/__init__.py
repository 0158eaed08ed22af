"""LMA: local memory attention (Paul et al., IROS 2021).

Shapes: B batch, T past frames, C channels of F5, V channels of a value, K classes, H W image,
h w grid (1/8).
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.lma.attention import local_attention
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge, memory_share, saturated
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import UsageError, one_of
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
EPS = 1e-3  #: epsilon of the batch norms in a fusion

Remembered = tuple[Tensor, Tensor]  #: key and value of one past frame


class BottleneckFusion(nn.Module):
    """Fusion on PSPNet, with the features themselves as values and gates from `down` channels.

    Current and retrieved features (B, C, h, w) -> (B, C, h, w). With `share` one convolution
    reduces both, as in the official code: it has a second one but does not use it.
    """

    def __init__(self, channels: int, *, down: int, share: bool) -> None:
        super().__init__()
        self.value = nn.Identity()
        self.memory_value = nn.Identity()
        self.down = nn.ModuleList(nn.Conv2d(channels, down, 1) for _ in range(1 if share else 2))
        self.middle = nn.Sequential(nn.BatchNorm2d(down, EPS), nn.ReLU(inplace=True))
        self.gates = nn.ModuleList(nn.Conv2d(down, channels, 1) for _ in range(2))
        self.norm = nn.BatchNorm2d(channels, EPS)

    def forward(self, now: Tensor, read: Tensor) -> Tensor:
        both = self.middle(self.down[0](now) + self.down[-1](read))
        gate, gate_read = (torch.sigmoid(conv(both)) for conv in self.gates)
        _report(gate, gate_read, now * gate, read * gate_read)
        return functional.relu(self.norm(now * gate + read * gate_read))


class WideFusion(nn.Module):
    """Fusion on ERFNet, with projections to V = C / 2 channels as values.

    Current and retrieved values (B, V, h, w) -> gated features (B, C, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // 2
        self.value, self.memory_value = (nn.Conv2d(channels, width, 3, padding=1) for _ in range(2))
        self.entries = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width, EPS), nn.Dropout2d(0.3), nn.ReLU(inplace=True))
            for _ in range(2)
        )
        self.outputs = nn.ModuleList(nn.Conv2d(width, channels, 3, padding=1) for _ in range(2))
        self.gates = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm = nn.BatchNorm2d(channels, EPS)

    def forward(self, now: Tensor, read: Tensor) -> Tensor:
        entries = [entry(x) for entry, x in zip(self.entries, (now, read), strict=True)]
        both = torch.cat(entries, 1)
        gates = [torch.sigmoid(gate(both)) for gate in self.gates]
        gated = [out(x) * gate for x, out, gate in zip(entries, self.outputs, gates, strict=True)]
        _report(*gates, *gated)
        return functional.relu(self.norm(gated[0] + gated[1]))


def _report(gate: Tensor, gate_read: Tensor, now: Tensor, read: Tensor) -> None:
    """Report the gates, and the share of retrieved features in the gated sum."""
    gauge("saturated", lambda: saturated(torch.stack((gate, gate_read))))
    gauge("memory_share", lambda: memory_share(read, now))


class LMA(VideoNetwork):
    """Clip (B, T + 1, 3, H, W) -> logits (B, K, H, W) of the newest frame.

    Its features are fused with nearby features from the T past frames. In training the backbone has
    a gradient in the newest frame only; the keys and values of all frames have one.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        key: nn.Module,
        fusion: BottleneckFusion | WideFusion,
        head: Head,
        queue: int,
        window: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.key = key
        self.memory_key = copy.deepcopy(key)
        self.fusion = fusion
        self.head = head
        self.window = window
        self.frames = queue + 1

    def forward(self, clip: Tensor) -> Output:
        past, frame = newest(clip, self.frames)[:, :-1], clip[:, -1]
        with torch.no_grad():
            f5 = Stages(*self.backbone(past.flatten(0, 1))).f5
        memory = [self.remember(x) for x in f5.view(*past.shape[:2], *f5.shape[1:]).unbind(1)]
        return Output(self.decode(Stages(*self.backbone(frame)), memory, frame), {})

    def remember(self, f5: Tensor) -> Remembered:
        """Return key and value of a frame's F5, for later frames."""
        return self.memory_key(f5), self.fusion.memory_value(f5)

    def decode(self, stages: Stages, memory: Sequence[Remembered], frame: Tensor) -> Tensor:
        """Return logits of the frame's size.

        `stages` are those of the newest frame; `memory` may be empty.
        """
        if memory:
            keys, values = zip(*memory, strict=True)
            read = local_attention(self.key(stages.f5), keys, values, window=self.window)
            stages = stages._replace(f5=self.fusion(self.fusion.value(stages.f5), read))
        logits = self.head(stages)
        # a head that upsamples to whole cells can exceed the image
        if logits.shape[-2] >= frame.shape[-2]:
            return logits[..., : frame.shape[-2], : frame.shape[-1]]
        return resize(logits, frame, corners=True)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return cross_entropy(out.logits, labels)

    def stream(self) -> "LMAStream":
        """Return the stream of one video; it keeps keys and values of the past frames."""
        return LMAStream(self)


class LMAStream:
    """Stream of one video, frame by frame.

    The first frame goes directly to the head. Later frames use the available past frames, at most
    `queue` of them, as published.
    """

    cycle = 1

    def __init__(self, net: LMA) -> None:
        self.net = net
        self.memory: list[Remembered] = []

    def reset(self) -> None:
        """Forget the video."""
        self.memory = []

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        stages = Stages(*self.net.backbone(frame))
        logits = self.net.decode(stages, self.memory, frame)
        self.memory = [*self.memory, self.net.remember(stages.f5)][1 - self.net.frames :]
        return logits


def lma(
    make: Make,
    num_classes: int,
    *,
    queue: int = 3,
    window: int = 21,
    keys: int = 128,
    fusion: str = "bottleneck",
    down: int = 256,
    share_down_conv: bool = True,
) -> LMA:
    """Build LMA with a backbone and a head.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        queue: Number of past frames.
        window: Side of the window around each pixel, in pixels of the grid; odd.
        keys: Channels of the keys.
        fusion: "bottleneck" (PSPNet) or "wide" (ERFNet).
        down: Channels of the bottleneck; only for "bottleneck".
        share_down_conv: Use one convolution for both inputs; only for "bottleneck".

    Raises:
        UsageError: An option is out of range.
    """
    if queue < 1 or window < 1 or window % 2 == 0:
        raise UsageError(
            f"queue = {queue}, window = {window}; give a queue of at least 1 and an odd window"
        )
    backbone: Backbone = make("backbone")
    channels = backbone.channels
    fusions = {
        "bottleneck": lambda: BottleneckFusion(channels[2], down=down, share=share_down_conv),
        "wide": lambda: WideFusion(channels[2]),
    }
    return LMA(
        backbone=backbone,
        key=nn.Conv2d(channels[2], keys, 3, padding=1),
        fusion=fusions[one_of("fusion", fusion, fusions)](),
        head=make("head", channels=channels, num_classes=num_classes),
        queue=queue,
        window=window,
    )


ARCHITECTURE = Architecture(SLOTS, lma)
