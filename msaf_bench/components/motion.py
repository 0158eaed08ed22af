"""Mixing of features over time. Shapes: B batch, T frames (oldest first), d width, h w grid."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.attention import position_code
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Motion
from msaf_bench.errors import UsageError, one_of


def _average(x: Tensor, rate: int) -> Tensor:
    return functional.avg_pool2d(x, rate, ceil_mode=True, count_include_pad=False)


def _maximum(x: Tensor, rate: int) -> Tensor:
    return functional.max_pool2d(x, rate, ceil_mode=True)


POOLS = {"average": _average, "max": _maximum}


class Still(Motion):
    """No motion: reads the newest frame alone."""

    idle = True
    frames = 1

    def forward(self, frames: Tensor) -> Tensor:
        return frames


class Concatenation(Motion):
    """Features of all frames, concatenated and mixed by a 1x1 convolution.

    (B, T, d, h, w) -> (B, 1, d, h, w). This control is ours and not in the paper: it shows the gain
    from past frames without attention and, with `align` "none", without alignment.
    """

    def __init__(self, frames: int, width: int, align: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.frames = frames
        self.align = nn.ModuleList(align() for _ in range(frames - 1))
        self.mix = conv_bn_relu(frames * width, width)

    def forward(self, frames: Tensor) -> Tensor:
        *past, newest = frames.unbind(1)
        aligned = [align(frame, newest) for align, frame in zip(self.align, past, strict=True)]
        return self.mix(torch.cat((*aligned, newest), 1)).unsqueeze(1)


class FrameCode(nn.Module):
    """Learned code of each frame's age, added to its features.

    (B, T, d, h, w) -> the same shape.
    """

    def __init__(self, frames: int, width: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(frames, width, 1, 1) * 0.02)

    def forward(self, frames: Tensor) -> Tensor:
        return frames + self.code


def frame_code(time: str, frames: int, width: int) -> nn.Module:
    """Return the code of time named "none" or "learned". Raises `UsageError` for other names."""
    return (
        FrameCode(frames, width)
        if one_of("time", time, ("none", "learned")) == "learned"
        else nn.Identity()
    )


class VanillaTransformer(Motion):
    """Joint space-time attention among all T h w tokens ("Baseline + TR", Eq. 1).

    (B, T, d, h, w) -> the same shape. The default of `layers` is the smallest depth with more
    parameters than the whole of MSAF, as section 4.3 states.
    """

    def __init__(
        self,
        frames: int,
        width: int,
        block: Callable[[], nn.Module],
        *,
        layers: int = 9,
        position: str = "none",
        time: str = "none",
    ) -> None:
        super().__init__()
        self.frames = frames
        self.position = position_code(position)
        self.time = frame_code(time, frames, width)
        self.blocks = nn.Sequential(*(block() for _ in range(layers)))

    def forward(self, frames: Tensor) -> Tensor:
        b, t, d, h, w = frames.shape
        tokens = self.time(self.position(frames)).permute(0, 1, 3, 4, 2).reshape(b, t * h * w, d)
        past = (t - 1) * h * w
        gauge("past_weight", lambda: _mean_weight(self.blocks, tokens, past))
        return self.blocks(tokens).view(b, t, h, w, d).permute(0, 1, 4, 2, 3)


class DecoupledTransformer(Motion):
    """D-Transformer: attention in space per frame, then over time per pixel (section 3.3, Fig. 3).

    (B, T, d, h, w) -> the same shape. PST attends in space on a downscaled map of each frame (Eq.
    2). ATT aligns the past frames and attends among the T frames at each pixel (Eq. 6).

    Args:
        frames: Number of frames T.
        width: Number of channels d.
        block: Function that makes a transformer block.
        align: Function that makes the alignment of one past frame.
        pyramid: Downscaling rate per axis of each frame, oldest first.
        least: Minimum number of cells along the shorter side of a downscaled map; 0 for no minimum.
        pool: Downscaling: "average" or "max".
        share: Use one spatial block for all frames instead of one per frame.
        position: Code of position: "none" or "sine".
        time: Code of time: "none" or "learned".

    Raises:
        UsageError: `pyramid` does not have one rate per frame, or a choice is unknown.
    """

    def __init__(
        self,
        frames: int,
        width: int,
        block: Callable[[], nn.Module],
        align: Callable[[], nn.Module],
        *,
        pyramid: tuple[int, ...] = (4, 2, 1),
        least: int = 0,
        pool: str = "average",
        share: bool = False,
        position: str = "none",
        time: str = "none",
    ) -> None:
        super().__init__()
        if len(pyramid) != frames:
            raise UsageError(
                f"pyramid = {list(pyramid)} has {len(pyramid)} rates for {frames} frames; give one"
                " per frame, oldest first"
            )
        self.frames = frames
        self.pyramid, self.least = pyramid, least
        self.pool = POOLS[one_of("pool", pool, POOLS)]
        self.position = position_code(position)
        self.time = frame_code(time, frames, width)
        self.spatial = nn.ModuleList(
            [block()] * frames if share else [block() for _ in range(frames)]
        )
        self.align = nn.ModuleList(align() for _ in range(frames - 1))
        self.temporal = block()

    def _pst(self, index: int, frame: Tensor) -> Tensor:
        rate = self.pyramid[index]
        rate = max(1, min(rate, min(frame.shape[-2:]) // self.least)) if self.least else rate
        small = self.position(self.pool(frame, rate) if rate > 1 else frame)
        h, w = small.shape[-2:]
        mixed = (
            self.spatial[index](small.flatten(2).transpose(1, 2))
            .transpose(1, 2)
            .unflatten(2, (h, w))
        )
        return resize(mixed, frame)

    def forward(self, frames: Tensor) -> Tensor:
        b, t, d, h, w = frames.shape
        spatial = [self._pst(i, frame) for i, frame in enumerate(frames.unbind(1))]
        aligned = [
            align(frame, spatial[-1]) for align, frame in zip(self.align, spatial[:-1], strict=True)
        ]
        tokens = (
            self.time(torch.stack((*aligned, spatial[-1]), 1))
            .permute(0, 3, 4, 1, 2)
            .reshape(b * h * w, t, d)
        )
        gauge("past_weight", lambda: _mean_weight([self.temporal], tokens, t - 1))
        return self.temporal(tokens).view(b, h, w, t, d).permute(0, 3, 4, 1, 2)


def _mean_weight(blocks: Iterable[nn.Module], tokens: Tensor, past: int) -> float:
    """Return the attention weight on the first `past` tokens, averaged over the blocks.

    The result is NaN if a block has no `weight_on`.
    """
    weights: list[float] = []
    with torch.no_grad():
        for block in blocks:
            weight_on = getattr(block, "weight_on", None)
            weights.append(float(weight_on(tokens, past)) if weight_on else float("nan"))
            tokens = block(tokens)
    return sum(weights) / max(1, len(weights))
