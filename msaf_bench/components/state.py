"""Static features of the newest frame.

Shapes: B batch, d width, h w grid, S stage tokens per pixel.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.interfaces import State
from msaf_bench.errors import one_of
from msaf_bench.ports import Stages


class _ConcatFuse(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.mix = conv_bn_relu(tokens * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.mix(tokens.flatten(1, 2))


class _MeanFuse(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(1)


class _LastFuse(_MeanFuse):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, -1]


FUSES: dict[str, Callable[[int, int], nn.Module]] = {
    "concat": _ConcatFuse,
    "mean": _MeanFuse,
    "last": _LastFuse,
}


class NoState(State):
    """No state branch: the dynamic features serve as the static ones."""

    idle = True

    def forward(self, stages: Stages, dynamic: Tensor) -> Tensor:
        return dynamic


class Concat(State):
    """Dynamic features and F5, concatenated and projected to d ("w/o State", section 4.3)."""

    def __init__(self, channels: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.entry = conv_bn_relu(channels[2], width)
        self.mix = conv_bn_relu(2 * width, width)

    def forward(self, stages: Stages, dynamic: Tensor) -> Tensor:
        return self.mix(torch.cat((dynamic, self.entry(stages.f5)), 1))


class StageTransformer(State):
    """S-Transformer: attention at each pixel among F3, F4, F5 and M of the newest frame (Eq. 9).

    Without a motion component M is F5 itself; `f5 = false` then avoids the same token twice.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        width: int,
        block: Callable[[], nn.Module],
        *,
        f5: bool = True,
        fuse: str = "concat",
    ) -> None:
        super().__init__()
        read = channels if f5 else channels[:2]
        self.entry = nn.ModuleList(conv_bn_relu(c, width) for c in read)
        self.block = block()
        self.fuse = FUSES[one_of("fuse", fuse, FUSES)](len(self.entry) + 1, width)

    def forward(self, stages: Stages, dynamic: Tensor) -> Tensor:
        maps = [entry(f) for entry, f in zip(self.entry, stages, strict=False)] + [dynamic]
        b, d, h, w = dynamic.shape
        tokens = torch.stack(maps, 1).permute(0, 3, 4, 1, 2).reshape(b * h * w, len(maps), d)
        # B, S, d, h, w
        mixed = self.block(tokens).view(b, h, w, len(maps), d).permute(0, 3, 4, 1, 2)
        return self.fuse(mixed)
