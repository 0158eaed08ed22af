"""FC-DenseNet103, the "Tiramisu" (Jégou et al. 2017).

Shapes: N images, C channels, w width of the first convolution, H W image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.backbones.vgg import middle
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.ports import Stages

DOWN = (4, 5, 7, 10, 12)  #: layers per block, finest first
BOTTOM = 15
DROPOUT = 0.2


class DenseBlock(nn.Module):
    """Densely connected layers: each reads the input and the output of all layers before it.

    Features (N, C, h, w) -> outputs of the layers, `growth` channels each.
    """

    def __init__(self, inputs: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_layer(inputs + i * growth, growth, 3) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        made = list[Tensor]()
        for layer in self.layers:
            made.append(layer(torch.cat((x, *made), 1)))
        return torch.cat(made, 1)


class FCDenseNet(Backbone):
    """Image (N, 3, H, W) -> 16 w / 3 features at full size, as all three of the Stages.

    Pooling rounds odd sizes up.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        growth = width // 3
        self.first = nn.Conv2d(3, width, 3, padding=1)
        down, narrow, skips = list[nn.Module](), list[nn.Module](), [width]
        for layers in DOWN:
            down.append(DenseBlock(skips[-1], growth, layers))
            skips.append(skips[-1] + growth * layers)
            narrow.append(_layer(skips[-1], skips[-1], 1))
        self.bottom = DenseBlock(skips[-1], growth, BOTTOM)
        up, enlarge = list[nn.Module](), list[nn.Module]()
        inputs = reads = growth * BOTTOM
        for layers in reversed(DOWN):
            enlarge.append(nn.ConvTranspose2d(inputs, inputs, 3, stride=2))
            reads = inputs + skips.pop()
            up.append(DenseBlock(reads, growth, layers))
            inputs = growth * layers
        self.down, self.narrow, self.up, self.enlarge = map(
            nn.ModuleList, (down, narrow, up, enlarge)
        )
        self.channels = (reads + inputs, reads + inputs, reads + inputs)
        self.stride = 1
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor) -> Stages:
        x, skips = self.first(image), list[Tensor]()
        for block, narrow in zip(self.down, self.narrow, strict=True):
            skips.append(torch.cat((x, block(x)), 1))
            x = functional.max_pool2d(narrow(skips[-1]), 2, ceil_mode=True)
        x = both = self.bottom(x)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            both = torch.cat((middle(enlarge(x), skips[-1]), skips.pop()), 1)
            x = block(both)
        x = torch.cat((both, x), 1)
        return Stages(x, x, x)


class LinearHead(Head):
    """1x1 convolution of F5 to the classes; the features are F5 itself."""

    def __init__(self, channels: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.width = channels[2]
        self.classifier = nn.Conv2d(self.width, num_classes, 1)

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, d, h, w)."""
        return stages.f5

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w)."""
        return self.classifier(features)


def fc_densenet103(*, width: int = 48) -> FCDenseNet:
    """Build FC-DenseNet103 with a first convolution of `width` channels.

    Every layer adds a third of `width`.
    """
    return FCDenseNet(width)


def _layer(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), conv, nn.Dropout2d(DROPOUT))
