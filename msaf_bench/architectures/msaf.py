"""MSAF: motion-state alignment (Su et al., CVPR Workshops 2023).

Shapes: B batch, T frames, d width, K classes, H W image, h w grid (1/8).
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import supervised
from msaf_bench.architectures.network import ExtractingNetwork
from msaf_bench.architectures.stream import WindowStream
from msaf_bench.components.blocks.attention import Block
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.interfaces import Assign, Backbone, Motion, State
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {
    "backbone": (),
    "motion": ("frames", "width", "block", "align"),
    "align": ("width",),
    "state": ("channels", "width", "block"),
    "assign": ("width", "num_classes"),
}


class Extract(NamedTuple):
    """Backbone features of a clip, as far as MSAF uses them."""

    f3: Tensor  #: (B, C3, h, w), of the newest frame
    f4: Tensor  #: (B, C4, h, w), of the newest frame
    f5: Tensor  #: (B, T, C5, h, w)


class MSAF(ExtractingNetwork):
    """The framework of Fig. 2, with a component in each slot.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. Every frame passes the backbone
    and one projection to d channels. `motion` mixes the frames, `state` the stages of the newest
    frame, and `assign` turns both into classes. The network uses the newest `frames` frames,
    resized by `input_scale`; the logits have full size.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        entry: nn.Module,
        motion: Motion,
        state: State,
        assign: Assign,
        input_scale: float,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.entry = entry
        self.motion = motion
        self.state = state
        self.assign = assign
        self.frames = motion.frames
        self.input_scale = input_scale

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the slots, as the parts measured by the pulse."""
        slots = {
            "backbone": self.backbone,
            "entry": self.entry,
            "motion": self.motion,
            "state": self.state,
            "assign": self.assign,
        }
        aligners: list[nn.Module] = list(getattr(self.motion, "align", ()))
        return {name: [part] for name, part in slots.items()} | {"align": aligners}

    def extract(self, clip: Tensor) -> Extract:
        """Return the backbone features of a clip."""
        frames = newest(clip, self.frames)
        every = self.encode(frames.flatten(0, 1))
        f3, f4, f5 = (f.view(*frames.shape[:2], *f.shape[1:]) for f in every)
        return Extract(f3[:, -1], f4[:, -1], f5)

    def still(self, features: tuple[Tensor, ...]) -> Extract:
        """Return the features of a clip that repeats its newest frame."""
        f3, f4, f5 = features
        return Extract(f3, f4, f5[:, -1:].expand_as(f5))

    def from_features(self, features: tuple[Tensor, ...], frames: Tensor) -> Output:
        """Return the output for an `Extract`, at the size of `frames` (..., H, W)."""
        f3, f4, f5 = features
        entered = self.entry(f5.flatten(0, 1)).unflatten(0, f5.shape[:2])
        return self.decode(Stages(f3, f4, f5[:, -1]), entered, frames)

    def encode(self, frames: Tensor) -> Stages:
        """Return stages of frames (N, 3, H, W), on a grid of 1/8 of the resized frames."""
        if self.input_scale != 1:
            height, width = (max(1, round(self.input_scale * side)) for side in frames.shape[-2:])
            frames = functional.interpolate(frames, (height, width), mode="bilinear")
        return Stages(*self.backbone(frames))

    def decode(self, stages: Stages, features: Tensor, frames: Tensor) -> Output:
        """Return the output for the newest frame, with logits of the frames' size.

        `stages` are those of the newest frame, `features` (B, T, d, h, w) the entry features of all
        frames.
        """
        dynamic = self.motion(features)[:, -1]
        logits, aux = self.assign(dynamic, self.state(stages, dynamic))
        return Output(resize(logits, frames), aux)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return L_M + L_pd + L_rd (Eq. 15).

        This is the cross-entropy of the result and of each mask supervised by the components.
        """
        return supervised(out, labels)

    def stream(self) -> WindowStream[Stages, Tensor]:
        """Return the stream of one video; it keeps the entry features of the past frames."""
        return WindowStream(self.frames, self._see, self._read)

    def _see(self, frame: Tensor) -> tuple[Stages, Tensor]:
        stages = self.encode(frame)
        return stages, self.entry(stages.f5)

    def _read(self, stages: Stages, window: Sequence[Tensor], frame: Tensor) -> Tensor:
        return self.decode(stages, torch.stack(list(window), 1), frame).logits


def msaf(
    make: Make,
    num_classes: int,
    *,
    width: int | str = 256,
    frames: int = 3,
    heads: int = 8,
    mlp_ratio: int = 4,
    input_scale: float = 1.0,
) -> MSAF:
    """Build MSAF from its components.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        width: Channels d, or "full" to keep the channels of F5, as the paper's text does, at a much
            higher cost.
        frames: Number of frames per clip.
        heads: Attention heads of a transformer block.
        mlp_ratio: Hidden width of a block's MLP, as a multiple of d.
        input_scale: Factor on the size of the frames; 0.5 and 0.75 of 1024x2048 are the rows "512"
            and "768" of Table 1.

    Raises:
        UsageError: `input_scale` is not above 0 and at most 1.
    """
    if not 0 < input_scale <= 1:
        raise UsageError(f"input_scale = {input_scale:g}; give a number above 0 and at most 1")
    backbone: Backbone = make("backbone")
    channels = backbone.channels
    d = channels[2] if width == "full" else int(width)
    block = partial(Block, d, heads=heads, mlp_ratio=mlp_ratio)
    return MSAF(
        backbone=backbone,
        entry=nn.Identity() if width == "full" else conv_bn_relu(channels[2], d),
        motion=make(
            "motion", frames=frames, width=d, block=block, align=partial(make, "align", width=d)
        ),
        state=make("state", channels=channels, width=d, block=block),
        assign=make("assign", width=d, num_classes=num_classes),
        input_scale=input_scale,
    )


ARCHITECTURE = Architecture(SLOTS, msaf)
