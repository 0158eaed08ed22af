"""From the features of a frame to its class logits. Shapes: N images, C channels, d width, K classes, h w grid."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.ports import Stages


class PyramidPooling(nn.Module):
    """Features (N, C, h, w) -> (N, 2C, h, w): themselves beside their means over 1x1, 2x2, 3x3 and 6x6 cells (Zhao et al. 2017).

    Each mean is projected to C / 4 channels and brought back bilinearly.
    """

    def __init__(self, channels: int, *, bins: tuple[int, ...] = (1, 2, 3, 6), corners: bool = True) -> None:
        super().__init__()
        self.corners = corners
        self.bins = bins
        width = channels // len(bins)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)) for _ in bins
        )

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        pooled = (branch(functional.adaptive_avg_pool2d(x, n)) for n, branch in zip(self.bins, self.branches, strict=True))
        return torch.cat((x, *(functional.interpolate(p, size, mode="bilinear", align_corners=self.corners) for p in pooled)), 1)


class _Convolutional(nn.Module):
    """3x3 convolution to d channels, batch norm, ReLU, dropout, 1x1 convolution."""

    def __init__(self, channels: int, num_classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.mix = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def context(self, stages: Stages) -> Tensor:
        """What the 3x3 convolution reads, which ETC distils."""
        return stages.f5

    def features(self, stages: Stages) -> Tensor:
        return self.mix(self.context(stages))

    def classify(self, features: Tensor) -> Tensor:
        return self.classifier(self.dropout(features))

    def forward(self, stages: Stages) -> Tensor:
        return self.classify(self.features(stages))


class FCNHead(_Convolutional):
    """The convolutions on F5 alone."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int, *, width: int = 512, dropout: float = 0.1) -> None:
        super().__init__(channels[2], num_classes, width, dropout)


class PSPHead(_Convolutional):
    """PSPNet's: the convolutions on the pyramid of F5 (Zhao et al. 2017)."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int, *, width: int = 512, dropout: float = 0.1) -> None:
        super().__init__(2 * channels[2], num_classes, width, dropout)
        self.pyramid = PyramidPooling(channels[2])

    def context(self, stages: Stages) -> Tensor:
        return self.pyramid(stages.f5)
