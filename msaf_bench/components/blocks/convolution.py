"""Convolution layer shared by most parts. Shapes: N maps, C channels, d width, h w grid."""

from torch import nn


def conv_bn_relu(channels: int, width: int, kernel: int = 1) -> nn.Sequential:
    """Build a convolution with batch norm and ReLU: (N, C, h, w) -> (N, d, h, w).

    `kernel` is odd.
    """
    convolution = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
