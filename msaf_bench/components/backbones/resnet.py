"""Dilated ResNets. Shapes: N images, C channels, H W image, h w grid (1/8 or 1/16).

Published code differs in the stem and in the place of the dilation, so both are options. With the
plain stem, parameters have torchvision's names, so its ImageNet weights load.
"""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from msaf_bench.components.interfaces import Backbone
from msaf_bench.components.weight_files import load_weights
from msaf_bench.errors import UsageError, one_of
from msaf_bench.ports import Stages

#: Widths of a stem's 3x3 convolutions in units of half the width (He et al. 2019; mmsegmentation).
#: "plain" is one 7x7 convolution.
STEMS = {"plain": (), "deep": (2, 2, 4), "v1c": (1, 1, 2)}
#: Strides and dilations of the four stages, by the stride of the grid.
STAGES = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2))}
#: Place of the dilation: everywhere (section 3.2, PSPNet); in the second 3x3 of a basic block
#: (ETC); halved in the first block of a stage (mmsegmentation); also halved there, and growing
#: through the last stage (TDNet).
DILATE = ("all", "second", "half-first", "multigrid")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, *, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, width, stride, dilations[0])
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, 1, dilations[1])
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut (He et al. 2016).

    The stride is in the 3x3 convolution, as in torchvision.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, *, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilations[0])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        return self.relu(y)


class DilatedResNet(Backbone):
    """Image (N, 3, H, W) -> F3, F4, F5, all at 1/8 (section 3.2) or 1/16.

    At 1/8, layer3 and layer4 have stride 1 and dilations 2 and 4. At 1/16, layer3 has stride 2 and
    layer4 dilation 2; F3 is then subsampled by 2.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: Number of blocks of the four layers.
        width: Number of channels of layer1, before expansion.
        stem: Stem: a key of `STEMS`.
        dilate: Place of the dilation: one of `DILATE`.
        output_stride: Stride of the grid: 8 or 16.
        weights: Path of a state dict with this network's names (.safetensors, else PyTorch's
            format); the tensors of a classifier are ignored.

    Raises:
        UsageError: The weights do not fit, or a choice is unknown.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        *,
        width: int = 64,
        stem: str = "plain",
        dilate: str = "all",
        output_stride: int = 8,
        weights: str = "",
    ) -> None:
        super().__init__()
        inner = [width * n // 2 for n in STEMS[one_of("stem", stem, STEMS)]]
        if output_stride not in STAGES:
            raise UsageError(f"output_stride = {output_stride}; give 8 or 16")
        self.conv1 = (
            _deep_stem(inner) if inner else nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        )
        inputs = inner[-1] if inner else width
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        rule = one_of("dilate", dilate, DILATE)
        layers = list[nn.Sequential]()
        for i, (depth, stride, dilation) in enumerate(
            zip(depths, *STAGES[output_stride], strict=True)
        ):
            blocks = list[nn.Module]()
            for j in range(depth):
                dilations = _dilations(rule, dilation, j, last=i == 3)
                blocks.append(
                    block(inputs, width << i, stride=1 if j else stride, dilations=dilations)
                )
                inputs = (width << i) * block.expansion
            layers.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.channels = (inputs // 4, inputs // 2, inputs)
        self.stride = output_stride
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if weights:
            load_weights(self, weights)

    def forward(self, image: Tensor) -> Stages:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        f3 = self.layer2(self.layer1(x))
        f4 = self.layer3(f3)
        step = self.stride // 8
        return Stages(f3[..., ::step, ::step], f4, self.layer4(f4))


#: One basic block per stage: for small machines and tests, not in the paper.
resnet10 = partial(DilatedResNet, BasicBlock, (1, 1, 1, 1))
resnet18 = partial(DilatedResNet, BasicBlock, (2, 2, 2, 2))
resnet34 = partial(DilatedResNet, BasicBlock, (3, 4, 6, 3))
resnet50 = partial(DilatedResNet, Bottleneck, (3, 4, 6, 3))
resnet101 = partial(DilatedResNet, Bottleneck, (3, 4, 23, 3))


def _dilations(rule: str, dilation: int, index: int, *, last: bool) -> tuple[int, int]:
    """Return the dilations of the two 3x3 convolutions of block `index` of a stage.

    A bottleneck uses the first one alone.
    """
    halved = max(1, dilation // 2) if index == 0 else dilation
    if rule == "multigrid":
        return (dilation << index if last else halved), dilation
    return {"all": (dilation, dilation), "second": (1, dilation), "half-first": (halved, 1)}[rule]


def _deep_stem(widths: list[int]) -> nn.Sequential:
    """Build 3x3 convolutions with batch norm and ReLU between them; the first has stride 2."""
    layers: list[nn.Module] = [_conv3x3(3, widths[0], 2, 1)]
    for inputs, outputs in pairwise(widths):
        layers += nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), _conv3x3(inputs, outputs, 1, 1)
    return nn.Sequential(*layers)


def _conv3x3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(
        inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
    )


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
