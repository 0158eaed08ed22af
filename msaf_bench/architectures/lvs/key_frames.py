"""How a key frame's features are carried to other frames, and when the next key frame is due (LVS:
Li et al., CVPR 2018).

Shapes: N images, C channels of the low features, d of the carried ones, h w grid (1/8).
"""

from itertools import pairwise
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.gauges import gauge


class Propagation(nn.Module):
    """A key frame's features (N, d, h, w) and low ones (N, C, h, w) of another frame -> features of
    the latter (N, d, h, w).

    The kernel predictor gives each place size x size weights that sum to 1 and serve all channels,
    out of both frames' low features once reduced. AdaptNet brings in what the frame itself shows.
    """

    def __init__(self, channels: int, features: int, width: int, size: int) -> None:
        super().__init__()
        self.reduce = convolutions(channels, width)
        self.kernels = nn.Sequential(
            *convolutions(2 * width, width), nn.Conv2d(width, size * size, 1)
        )
        self.adapt = convolutions(channels, width, width, width)
        self.fuse = conv_bn_relu(features + width, features, 3)

    def forward(self, features: Tensor, reduced: Tensor, low: Tensor) -> Tensor:
        """The key frame's features and `reduce`d low features, the other frame's low features."""
        kernels = self.kernels(torch.cat((reduced, self.reduce(low)), 1)).softmax(1)
        gauge("off_centre", lambda: 1 - kernels[:, kernels.shape[1] // 2].float().mean())
        return self.fuse(torch.cat((vary(features, kernels), self.adapt(low)), 1))


class Scheduler(nn.Module):
    """Two frames' low features, `reduce`d to (N, width, h, w) -> the fraction of labels (N,) that
    it expects to differ between them.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.reduce = convolutions(channels, width)
        self.mix = convolutions(width, width)
        self.last = nn.Linear(width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, -2.0)  # untrained, it expects 12 % of them everywhere

    def forward(self, newest: Tensor, key: Tensor) -> Tensor:
        return self.last(self.mix(newest - key).mean((2, 3))).squeeze(1).sigmoid()


class Fixed(nn.Module):
    """No scheduler: it expects no difference, so key frames come at their interval alone."""

    idle = True

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()

    def reduce(self, low: Tensor) -> Tensor:
        """Nothing to reduce."""
        return low[:, :0]

    def forward(self, newest: Tensor, key: Tensor) -> Tensor:
        return newest.new_zeros(len(newest))


SCHEDULES = {"adaptive": Scheduler, "fixed": Fixed}


def vary(x: Tensor, kernels: Tensor) -> Tensor:
    """Spatially variant convolution: x (N, d, h, w), kernels (N, size², h, w) -> y(p) = sum over o
    of kernels(o, p) x(p + o).

    The offsets o go row by row around p, a kernel serves all channels, and the nearest pixel stands
    for what is outside.
    """
    h, w = x.shape[-2:]
    size = isqrt(kernels.shape[1])
    padded = functional.pad(x, (size // 2,) * 4, mode="replicate")
    total = torch.zeros_like(x)
    for i, kernel in enumerate(kernels.unsqueeze(2).unbind(1)):
        row, column = divmod(i, size)
        total = total + kernel * padded[..., row : row + h, column : column + w]
    return total


def convolutions(*channels: int) -> nn.Sequential:
    """3x3 convolutions from each number of channels to the next, with ReLU."""
    return nn.Sequential(
        *(
            layer
            for a, b in pairwise(channels)
            for layer in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True))
        )
    )
