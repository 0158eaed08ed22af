"""Features of a key frame carried to another frame (Li et al., CVPR 2018).

Shapes: N images, C channels of the low features, d of the carried ones, h w grid (1/8).
"""

from itertools import pairwise
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional


class Propagation(nn.Module):
    """A key frame's features (N, d, h, w) and low ones (N, C, h, w) of another frame -> features of the latter (N, d, h, w).

    The kernel predictor gives each place size x size weights that sum to 1 and serve all channels, out of both frames' low features once
    reduced. AdaptNet brings in what the frame itself shows.
    """

    def __init__(self, channels: int, features: int, width: int, size: int) -> None:
        super().__init__()
        self.reduce = convolutions(channels, width)
        self.kernels = nn.Sequential(*convolutions(2 * width, width), nn.Conv2d(width, size * size, 1))
        self.adapt = convolutions(channels, width, width, width)
        self.fuse = nn.Sequential(nn.Conv2d(features + width, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU())

    def forward(self, features: Tensor, reduced: Tensor, low: Tensor) -> Tensor:
        """The key frame's features and `reduce`d low features, the other frame's low features."""
        kernels = self.kernels(torch.cat((reduced, self.reduce(low)), 1)).softmax(1)
        return self.fuse(torch.cat((vary(features, kernels), self.adapt(low)), 1))


def vary(x: Tensor, kernels: Tensor) -> Tensor:
    """Spatially variant convolution: x (N, d, h, w), kernels (N, size², h, w) -> y(p) = sum over o of kernels(o, p) x(p + o).

    The offsets o go row by row around p, a kernel serves all channels, and the nearest pixel stands for what is outside.
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
    return nn.Sequential(*(layer for a, b in pairwise(channels) for layer in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True))))
