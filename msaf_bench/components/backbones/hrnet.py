"""HRNet: branches at 1/4, 1/8, 1/16 and 1/32 with repeated exchange (Wang et al. 2019).

Shapes: N images, C channels, w width of the finest branch, K classes, H W image, h w grid.
Parameters have the official names, so the official ImageNet weights load.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from msaf_bench.components.backbones.resnet import BasicBlock, Bottleneck
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.components.weight_files import load_weights
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages

MODULES = (1, 4, 3)  #: number of exchanges with 2, 3 and 4 branches


class HRNet(Backbone):
    """Image (N, 3, H, W) -> Stages on one grid of 1 / `stride`.

    The stages are branch 2, branch 3, and the concatenation of all four branches. Maps on other
    grids are resized bilinearly. With stride 4, F5 is the input of the published head.
    """

    def __init__(self, width: int, *, stem: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = (
            nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
        )
        self.conv2, self.bn2 = (
            nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
        )
        self.relu = nn.ReLU(inplace=True)
        inputs = (stem, *(blocks - 1) * (4 * stem,))
        self.layer1 = nn.Sequential(
            *(Bottleneck(n, stem, stride=1, dilations=(1, 1)) for n in inputs)
        )
        widths = [tuple(width << i for i in range(branches)) for branches in (2, 3, 4)]
        self.transition1, self.transition2, self.transition3 = (
            _transition(a, b) for a, b in pairwise([(4 * stem,), *widths])
        )
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Exchange(branches, blocks) for _ in range(n)))
            for branches, n in zip(widths, MODULES, strict=True)
        )
        self.channels = (2 * width, 4 * width, 15 * width)
        self.stride = stride
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Stages:
        x = self.relu(self.bn1(self.conv1(image)))
        maps = [self.layer1(self.relu(self.bn2(self.conv2(x))))]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            # A new branch starts from the coarsest one.
            maps = stage([step(maps[min(i, len(maps) - 1)]) for i, step in enumerate(transition)])
        one, two, three, four = (resize(x, maps[0 if self.stride == 4 else 1]) for x in maps)
        return Stages(two, three, torch.cat((one, two, three, four), 1))


class Exchange(nn.Module):
    """Blocks on each branch, followed by a sum of all branches on each grid.

    Maps of all branches, finest first -> maps of the same shapes.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                *(BasicBlock(width, width, stride=1, dilations=(1, 1)) for _ in range(blocks))
            )
            for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bring(widths, j, i) for j in range(len(widths)))
            for i in range(len(widths))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        rows = (cast("Sequence[nn.Module]", row) for row in self.fuse_layers)
        return [self.relu(self.fuse(row, maps, like)) for row, like in zip(rows, maps, strict=True)]

    def fuse(self, row: Sequence[nn.Module], maps: list[Tensor], like: Tensor) -> Tensor:
        """Return the sum of all branches on the grid of `like`."""
        total, *rest = (resize(bring(x), like) for bring, x in zip(row, maps, strict=True))
        return sum(rest, total)


class HRNetHead(Head):
    """1x1 convolution of F5 to the same width, batch norm, ReLU, 1x1 convolution to the classes."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.width = channels[2]
        self.mix = nn.Sequential(
            nn.Conv2d(self.width, self.width, 1), nn.BatchNorm2d(self.width), nn.ReLU(inplace=True)
        )
        self.classifier = nn.Conv2d(self.width, num_classes, 1)

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, d, h, w)."""
        return self.mix(stages.f5)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w)."""
        return self.classifier(features)


def hrnet(
    *, width: int = 48, stem: int = 64, blocks: int = 4, stride: int = 4, weights: str = ""
) -> HRNet:
    """Build HRNetV2.

    Args:
        width: Width of the finest branch; the others have 2, 4 and 8 times that.
        stem: Width of the stem.
        blocks: Depth of stage 1 and of every branch between two exchanges.
        stride: Stride of the output grid: 4 or 8.
        weights: Path of a state dict with the network's names; empty for random weights.

    Raises:
        UsageError: The weights do not fit, or `stride` is neither 4 nor 8.
    """
    if stride not in (4, 8):
        raise UsageError(f"hrnet: stride = {stride}; give 4 or 8")
    net = HRNet(width, stem=stem, blocks=blocks, stride=stride)
    if weights:
        load_weights(net, weights)
    return net


def _transition(before: tuple[int, ...], after: tuple[int, ...]) -> nn.ModuleList:
    kept = [
        nn.Identity() if a == b else _conv_norm(a, b, relu=True)
        for a, b in zip(before, after, strict=False)
    ]
    return nn.ModuleList(
        [*kept, nn.Sequential(_conv_norm(before[-1], after[-1], stride=2, relu=True))]
    )


def _bring(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Build the path from one branch to another.

    A coarser target needs strided convolutions, a finer one a 1x1 convolution.
    """
    if source == target:
        return nn.Identity()
    a, b = widths[source], widths[target]
    if source > target:
        return _conv_norm(a, b, kernel=1)
    *halvings, _ = range(target - source)
    return nn.Sequential(
        *(_conv_norm(a, a, stride=2, relu=True) for _ in halvings), _conv_norm(a, b, stride=2)
    )


def _conv_norm(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, relu: bool = False
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if relu else []))
