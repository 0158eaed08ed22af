"""Heads: class logits from the features of one frame.

Shapes: N images, C channels, d width, K classes, h w grid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.interfaces import Head
from msaf_bench.ports import Stages

BINS = (1, 2, 3, 6)  #: cells along each axis, one entry per mean


class PyramidPooling(nn.Module):
    """Features beside their means over 1x1, 2x2, 3x3 and 6x6 cells (Zhao et al. 2017).

    (N, C, h, w) -> (N, 2C, h, w). Each mean is projected to C / 4 channels and upsampled bilinearly
    with aligned corners.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(conv_bn_relu(channels, channels // len(BINS)) for _ in BINS)

    def forward(self, x: Tensor) -> Tensor:
        pooled = (
            branch(functional.adaptive_avg_pool2d(x, n))
            for n, branch in zip(BINS, self.branches, strict=True)
        )
        return torch.cat((x, *(resize(p, x, corners=True) for p in pooled)), 1)


class FCN(nn.Module):
    """3x3 convolution to d channels, batch norm, ReLU, dropout and 1x1 convolution.

    Features (N, C, h, w) -> logits (N, K, h, w).
    """

    def __init__(
        self, channels: int, num_classes: int, *, width: int = 512, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.mix, self.dropout, self.classifier = _layers(channels, num_classes, width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.mix(x)))


class _Convolutional(Head):
    """The layers of `FCN` on one map of the stages."""

    def __init__(self, channels: int, num_classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.mix, self.dropout, self.classifier = _layers(channels, num_classes, width, dropout)

    def context(self, stages: Stages) -> Tensor:
        """Return the input of the 3x3 convolution; ETC distils it."""
        return stages.f5

    def features(self, stages: Stages) -> Tensor:
        """Return features (N, d, h, w), the input of the dropout and the classifier."""
        return self.mix(self.context(stages))

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w)."""
        return self.classifier(self.dropout(features))


class FCNHead(_Convolutional):
    """The layers of `FCN` on F5."""

    def __init__(
        self,
        channels: tuple[int, int, int],
        num_classes: int,
        *,
        width: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(channels[2], num_classes, width, dropout)


class PSPHead(_Convolutional):
    """PSPNet's head: the layers of `FCN` on the pyramid of F5 (Zhao et al. 2017)."""

    def __init__(
        self,
        channels: tuple[int, int, int],
        num_classes: int,
        *,
        width: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(2 * channels[2], num_classes, width, dropout)
        self.pyramid = PyramidPooling(channels[2])

    def context(self, stages: Stages) -> Tensor:
        """Return the pyramid of F5 (N, 2C, h, w), the input of the 3x3 convolution."""
        return self.pyramid(stages.f5)


class LatePSPHead(PSPHead):
    """`PSPHead` split before the ReLU, which moves into the classifier.

    NetWarp blends the features (N, d, h, w) at this point.
    """

    def features(self, stages: Stages) -> Tensor:
        """Return the features (N, d, h, w) before the ReLU."""
        before: nn.Module = self.mix[:2]  # pyright: ignore[reportUnknownVariableType]
        return before(self.pyramid(stages.f5))

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w) before the ReLU."""
        return super().classify(functional.relu(features))


def _layers(
    channels: int, num_classes: int, width: int, dropout: float
) -> tuple[nn.Sequential, nn.Dropout2d, nn.Conv2d]:
    return (
        conv_bn_relu(channels, width, 3),
        nn.Dropout2d(dropout),
        nn.Conv2d(width, num_classes, 1),
    )
