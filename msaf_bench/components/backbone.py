"""Dilated ResNets at output stride 8. Shapes: N images, C channels, H W image, h w grid (1/8).

Parameter names are torchvision's, so its ImageNet weights load.
"""

from torch import Tensor, nn

from msaf_bench.ports import Stages


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, width, stride, dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, 1, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with a shortcut (He et al. 2016), the stride in the 3x3 as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class DilatedResNet(nn.Module):
    """Image (N, 3, H, W) -> F3, F4, F5, all at 1/8: layer3 and layer4 have stride 1 and dilation 2 and 4 (section 3.2)."""

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, int, int, int], *, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs, layers = width, list[nn.Sequential]()
        for i, (depth, stride, dilation) in enumerate(zip(depths, (1, 2, 1, 1), (1, 1, 2, 4), strict=True)):
            first = block(inputs, width << i, stride=stride, dilation=dilation)
            inputs = (width << i) * block.expansion
            rest = (block(inputs, width << i, stride=1, dilation=dilation) for _ in range(depth - 1))
            layers.append(nn.Sequential(first, *rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.channels = (inputs // 4, inputs // 2, inputs)
        self.stride = 8
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Stages:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        f3 = self.layer2(self.layer1(x))
        f4 = self.layer3(f3)
        return Stages(f3, f4, self.layer4(f4))


def resnet10(*, width: int = 64) -> DilatedResNet:
    """One basic block a stage: for small machines and tests, not in the paper."""
    return DilatedResNet(BasicBlock, (1, 1, 1, 1), width=width)


def resnet18(*, width: int = 64) -> DilatedResNet:
    """ResNet-18."""
    return DilatedResNet(BasicBlock, (2, 2, 2, 2), width=width)


def resnet50(*, width: int = 64) -> DilatedResNet:
    """ResNet-50."""
    return DilatedResNet(Bottleneck, (3, 4, 6, 3), width=width)


def resnet101(*, width: int = 64) -> DilatedResNet:
    """ResNet-101."""
    return DilatedResNet(Bottleneck, (3, 4, 23, 3), width=width)


def _conv3x3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
