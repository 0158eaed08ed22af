"""Propagation of a key frame's features, and scheduling of key frames (LVS: Li et al., CVPR 2018).

Shapes: N images, C channels of the low features, d channels of the propagated ones, h w grid (1/8).
"""

from itertools import pairwise
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.gauges import gauge


class Propagation(nn.Module):
    """Features of a key frame (N, d, h, w) -> features of another frame (N, d, h, w).

    The kernel predictor reads the low features (N, C, h, w) of both frames after `reduce`. It gives
    each place size x size weights that sum to 1 and serve all channels. AdaptNet adds the low
    features of the frame itself.
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
        """Propagate a key frame's `features`.

        `reduced` are the key frame's low features after `reduce`, `low` the other frame's low
        features.
        """
        kernels = self.kernels(torch.cat((reduced, self.reduce(low)), 1)).softmax(1)
        gauge("off_centre", lambda: 1 - kernels[:, kernels.shape[1] // 2].float().mean())
        return self.fuse(torch.cat((vary(features, kernels), self.adapt(low)), 1))


class Scheduler(nn.Module):
    """Expected share of labels (N,) that differ between two frames.

    The input is the low features of both frames after `reduce`, (N, width, h, w).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.reduce = convolutions(channels, width)
        self.mix = convolutions(width, width)
        self.last = nn.Linear(width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, -2.0)  # untrained, it expects 12 % everywhere

    def forward(self, newest: Tensor, key: Tensor) -> Tensor:
        return self.last(self.mix(newest - key).mean((2, 3))).squeeze(1).sigmoid()


class Fixed(nn.Module):
    """No scheduler: expects no difference, so key frames come at the interval only."""

    idle = True

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()

    def reduce(self, low: Tensor) -> Tensor:
        """Return no channels; there is nothing to reduce."""
        return low[:, :0]

    def forward(self, newest: Tensor, key: Tensor) -> Tensor:
        return newest.new_zeros(len(newest))


SCHEDULES = {"adaptive": Scheduler, "fixed": Fixed}


def vary(x: Tensor, kernels: Tensor) -> Tensor:
    """Apply a spatially variant convolution: y(p) = sum over o of kernels(o, p) x(p + o).

    x is (N, d, h, w), kernels are (N, size², h, w). The offsets o run row by row around p, and a
    kernel serves all channels. Outside the map x is its nearest pixel.
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
    """Build 3x3 convolutions from each number of channels to the next, with ReLU."""
    return nn.Sequential(
        *(
            layer
            for a, b in pairwise(channels)
            for layer in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True))
        )
    )
