"""TMANet: temporal memory attention (Wang et al., ICIP 2021).

Shapes: B batch, T past frames, C channels of F5, K classes, H W image, h w grid (1/8), N = hw.
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
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
LOGITS_AT_ONCE = 1 << 26  #: logits of the attention per chunk; 1024x2048 and T = 2 have 2^31


class KeyValue(nn.Module):
    """F5 (B, C, h, w) -> key (B, keys, h, w) and value (B, values, h, w).

    Each is a 1x1 and a 3x3 convolution, with batch norm and ReLU.
    """

    def __init__(self, channels: int, keys: int, values: int) -> None:
        super().__init__()
        self.key = _encoder(channels, keys)
        self.value = _encoder(channels, values)

    def forward(self, f5: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(f5), self.value(f5)


class TMANet(VideoNetwork):
    """Attention of the newest frame's pixels to all pixels of the past frames.

    Clip (B, T + 1, 3, H, W) -> logits (B, K, H, W) of the newest frame. Each past frame has its own
    key and value encoders, by its age. The head reads the newest frame's value and the recalled
    values.
    """

    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(
        self,
        *,
        backbone: nn.Module,
        query: nn.Module,
        memory: nn.ModuleList,
        head: Head,
        auxiliary: nn.Module,
        corners: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.query = query
        self.memory = memory
        self.head = head
        self.auxiliary = auxiliary
        self.corners = corners
        self.frames = len(memory) + 1

    def forward(self, clip: Tensor) -> Output:
        frames = newest(clip, self.frames)
        every = Stages(
            *(f.unflatten(0, frames.shape[:2]) for f in self.backbone(frames.flatten(0, 1)))
        )
        stages = Stages(*(f[:, -1] for f in every))
        aux = {"auxiliary": self.auxiliary(stages.f4)} if self.training else {}
        return Output(self.decode(stages, every.f5[:, :-1].unbind(1), clip), aux)

    def decode(self, stages: Stages, past: Sequence[Tensor], frames: Tensor) -> Tensor:
        """Return logits of the frames' size.

        `stages` are those of the newest frame; `past` is F5 of the past frames, oldest first.
        """
        query, value = self.query(stages.f5)
        encoded = [encode(f5) for encode, f5 in zip(self.memory, past, strict=True)]
        keys, values = (
            torch.cat([_pixels(m) for m in maps], 1) for maps in zip(*encoded, strict=True)
        )
        recalled = recall(_pixels(query), keys, values).mT.reshape(value.shape)
        gauge("memory_share", lambda: memory_share(recalled, value), part="memory")
        return resize(
            self.head(stages._replace(f5=torch.cat((value, recalled), 1))),
            frames,
            corners=self.corners,
        )

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy, plus 0.4 of the auxiliary head's.

        The auxiliary logits are enlarged like the result.
        """
        aux = {name: resize(mask, labels, corners=self.corners) for name, mask in out.aux.items()}
        return supervised(Output(out.logits, aux), labels, AUXILIARY)

    def stream(self) -> WindowStream[Stages, Tensor]:
        """Return the stream of one video; it keeps F5 of the past frames.

        A frame's encoders change with its age, so an encoding cannot be reused in the next step.
        """
        return WindowStream(self.frames, self._see, self._read)

    def _see(self, frame: Tensor) -> tuple[Stages, Tensor]:
        stages = Stages(*self.backbone(frame))
        return stages, stages.f5

    def _read(self, stages: Stages, window: Sequence[Tensor], frame: Tensor) -> Tensor:
        return self.decode(stages, window[:-1], frame)


def recall(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return softmax(Q Kᵀ) V without a scale, (B, N, values).

    The query is (B, N, keys), keys are (B, TN, keys), values (B, TN, values). Queries are processed
    in chunks, because not every machine has a fused kernel for values that are wider than keys.
    """
    rows = max(1, LOGITS_AT_ONCE // (keys.shape[0] * keys.shape[1]))
    keys, values = keys[:, None], values[:, None]  # one head, for the fused kernels
    parts = [
        functional.scaled_dot_product_attention(q[:, None], keys, values, scale=1.0)
        for q in torch.split(query, rows, 1)
    ]
    return torch.cat(parts, 2)[:, 0]


def tmanet(
    make: Make,
    num_classes: int,
    *,
    past: int = 2,
    keys: int = 64,
    values: int = 256,
    corners: bool = True,
) -> TMANet:
    """Build TMANet with a backbone and a head.

    Published: 2 past frames and aligned corners for Cityscapes, 4 and not aligned for CamVid.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        past: Number of past frames.
        keys: Channels of the keys.
        values: Channels of the values.
        corners: Align the corners when logits are enlarged.

    Raises:
        UsageError: `past` is below 1.
    """
    if past < 1:
        raise UsageError(f"past = {past}; give at least 1")
    backbone: Backbone = make("backbone")
    channels = backbone.channels
    return TMANet(
        backbone=backbone,
        query=KeyValue(channels[2], keys, values),
        memory=nn.ModuleList(KeyValue(channels[2], keys, values) for _ in range(past)),
        head=make("head", channels=(*channels[:2], 2 * values), num_classes=num_classes),
        auxiliary=auxiliary_head(channels[1], num_classes),
        corners=corners,
    )


ARCHITECTURE = Architecture(SLOTS, tmanet)


def _encoder(channels: int, width: int) -> nn.Sequential:
    mix = conv_bn_relu(width, width, 3)
    return nn.Sequential(conv_bn_relu(channels, width), *mix)


def _pixels(x: Tensor) -> Tensor:
    """Reshape (B, C, h, w) to (B, N, C)."""
    return x.flatten(2).mT
