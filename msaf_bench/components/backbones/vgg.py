"""Dilation8 and Dilation10: VGG-16 at 1/8 with a context module (Yu and Koltun 2016).

The context module works on class scores. Shapes: N images, C channels, K classes, H W image,
h w grid (1/8). The thirteen convolutions have torchvision's names (`features.0` ...).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import one_of
from msaf_bench.ports import Stages

BORDER = 186  #: pixels per side that the front end's unpadded convolutions remove
PADDINGS = ("mirror", "same")
#: Stages of VGG-16: channels of the convolutions in units of the first width, and their dilation.
#: The last two stages are not pooled.
FRONT = (((1, 1), 1), ((2, 2), 1), ((4, 4, 4), 1), ((8, 8, 8), 1), ((8, 8, 8), 2))
POOLED = 3
#: Number of layers of `features` up to conv4_3 and conv5_3, in torchvision's count with a pool
#: between them.
F3, F4 = 23, 30


class DilatedVGG(Backbone):
    """Image (N, 3, H, W) -> conv4_3, conv5_3 and fc7 at 1/8, after their ReLUs; h = ceil(H / 8).

    With the border "mirror" no convolution pads, as published: the image is extended by its mirror
    image, by 186 pixels on each side and up to whole cells of the grid. With "same" every
    convolution pads with zeros, and nothing is computed outside the image.
    """

    def __init__(self, width: int, *, border: str) -> None:
        super().__init__()
        self.mirrored = one_of("border of dilation8", border, PADDINGS) == "mirror"
        self.features = nn.Sequential(*self._layers(width))
        fc = 64 * width
        self.fc6 = nn.Conv2d(8 * width, fc, 7, dilation=4, padding=self._padding(7, 4))
        self.fc7 = nn.Conv2d(fc, fc, 1)
        self.dropout = nn.Dropout(0.5)
        self.channels = (8 * width, 8 * width, fc)
        self.stride = 8
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor) -> Stages:
        f3 = self.features[:F3](mirror(image, BORDER) if self.mirrored else image)
        f4 = self.features[F3:F4](f3)
        x = self.dropout(functional.relu(self.fc6(f4)))
        f5 = self.dropout(functional.relu(self.fc7(x)))
        return Stages(middle(f3, f5), middle(f4, f5), f5)

    def _layers(self, width: int) -> list[nn.Module]:
        inputs, layers = 3, list[nn.Module]()
        for stage, (convolutions, dilation) in enumerate(FRONT):
            for units in convolutions:
                conv = nn.Conv2d(
                    inputs, units * width, 3, dilation=dilation, padding=self._padding(3, dilation)
                )
                layers += [conv, nn.ReLU()]
                inputs = units * width
            layers.append(nn.MaxPool2d(2, ceil_mode=True) if stage < POOLED else nn.Identity())
        return layers

    def _padding(self, kernel: int, dilation: int) -> int:
        return 0 if self.mirrored else dilation * (kernel // 2)


class ContextHead(Head):
    """Class scores of F5 by a 1x1 convolution, followed by the context module.

    The scores are the features, the context module is the classifier; it starts as the identity. It
    enlarges the receptive field by 3x3 convolutions on the K class maps with the given dilations,
    one more without dilation, and a 1x1 convolution.
    """

    def __init__(
        self, channels: tuple[int, int, int], num_classes: int, dilations: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.width = num_classes
        self.scores = nn.Conv2d(channels[2], num_classes, 1)
        see = [
            m
            for d in (*dilations, 1)
            for m in (nn.Conv2d(num_classes, num_classes, 3, padding=d, dilation=d), nn.ReLU())
        ]
        self.context = nn.Sequential(*see, nn.Conv2d(num_classes, num_classes, 1))
        for module in self.context:
            if isinstance(module, nn.Conv2d):
                nn.init.dirac_(module.weight)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, d, h, w)."""
        return self.scores(stages.f5)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w)."""
        return self.context(features)


def dilation8(*, width: int = 64, border: str = "mirror") -> DilatedVGG:
    """Build the front end of Dilation8 and Dilation10.

    `width` is the number of channels of the first convolution. `border` is "mirror", as published,
    or "same".
    """
    return DilatedVGG(width, border=border)


def context8(channels: tuple[int, int, int], num_classes: int) -> ContextHead:
    """Build Dilation8's head, with a context of 67 cells."""
    return ContextHead(channels, num_classes, (1, 1, 2, 4, 8, 16))


def context10(channels: tuple[int, int, int], num_classes: int) -> ContextHead:
    """Build Dilation10's head, with a context of 259 cells."""
    return ContextHead(channels, num_classes, (1, 1, 2, 4, 8, 16, 32, 64))


def mirror(image: Tensor, border: int) -> Tensor:
    """Extend an image (N, 3, H, W) by its mirror image, `border` pixels on each side.

    Bottom and right also extend H and W to multiples of 8. The outermost pixel is not repeated. A
    border wider than the image mirrors it again.
    """
    rows, columns = (_mirrored(n, border, image.device) for n in image.shape[-2:])
    return image.index_select(2, rows).index_select(3, columns)


def middle(x: Tensor, like: Tensor) -> Tensor:
    """Return the centre of a map (N, C, h, w), cropped to the size of `like`."""
    h, w = like.shape[-2:]
    top, left = (x.shape[-2] - h) // 2, (x.shape[-1] - w) // 2
    return x[..., top : top + h, left : left + w]


def _mirrored(n: int, border: int, device: torch.device) -> Tensor:
    """Return the source index of each pixel along a mirrored side of n pixels.

    The index is a triangle wave with period 2 (n - 1).
    """
    end = n + -n % 8 + border
    return n - 1 - (torch.arange(-border, end, device=device) % max(1, 2 * (n - 1)) - (n - 1)).abs()
