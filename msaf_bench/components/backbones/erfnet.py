"""ERFNet (Romera et al. 2017): 3x3 convolutions factored into 3x1 and 1x3.

Shapes: N images, C channels, K classes, H W image, h w grid (1/8).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.ports import Stages

EPS = 1e-3  #: epsilon of every batch norm
STRIDE = 8


class Factored(nn.Module):
    """Two 3x3 convolutions with a shortcut, each factored into 3x1 and 1x3.

    The second one is dilated. Input and output have the same size.
    """

    def __init__(self, width: int, *, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        d = dilation
        self.convolutions = nn.Sequential(
            nn.Conv2d(width, width, (3, 1), padding=(1, 0)),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (1, 3), padding=(0, 1)),
            nn.BatchNorm2d(width, EPS),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (3, 1), padding=(d, 0), dilation=(d, 1)),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (1, 3), padding=(0, d), dilation=(1, d)),
            nn.BatchNorm2d(width, EPS),
            nn.Dropout2d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.convolutions(x) + x)


class Down(nn.Module):
    """Strided convolution beside max pooling: (N, inputs, 2h, 2w) -> (N, width, h, w)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, width - inputs, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width, EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(
            self.norm(torch.cat((self.convolution(x), functional.max_pool2d(x, 2)), 1))
        )


class ERFNet(Backbone):
    """Encoder: image (N, 3, H, W) -> features after 0, 1 and 2 rounds of dilated layers, at 1/8.

    Sides that are not multiples of 8 are padded with zeros at the bottom and on the right. `width`
    is the number of channels of the first layer, at least 4.
    """

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        middle, last = 4 * width, 8 * width
        self.entry = nn.Sequential(
            Down(3, width), Down(width, middle), *(Factored(middle, dropout=0.03) for _ in range(5))
        )
        self.down = Down(middle, last)
        self.rounds = nn.ModuleList(
            nn.Sequential(*(Factored(last, dilation=d, dropout=0.3) for d in (2, 4, 8, 16)))
            for _ in range(2)
        )
        self.channels = (last, last, last)
        self.stride = STRIDE

    def forward(self, image: Tensor) -> Stages:
        height, width = image.shape[-2:]
        f3 = self.down(self.entry(functional.pad(image, (0, -width % STRIDE, 0, -height % STRIDE))))
        f4 = self.rounds[0](f3)
        return Stages(f3, f4, self.rounds[1](f4))


class ERFNetHead(Head):
    """Decoder: F5 (N, C, h, w) -> logits (N, K, 8h, 8w).

    The features before the classifier are at 1/2 of the image.
    """

    def __init__(self, channels: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        middle, self.width = channels[2] // 2, channels[2] // 8
        self.decoder = nn.Sequential(
            *_up(channels[2], middle),
            Factored(middle),
            Factored(middle),
            *_up(middle, self.width),
            Factored(self.width),
            Factored(self.width),
        )
        self.classifier = nn.ConvTranspose2d(self.width, num_classes, 2, stride=2)

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, width, 4h, 4w)."""
        return self.decoder(stages.f5)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, 8h, 8w) for features (N, width, 4h, 4w)."""
        return self.classifier(features)


def _up(inputs: int, width: int) -> tuple[nn.Module, ...]:
    """Build layers that double the size: (N, inputs, h, w) -> (N, width, 2h, 2w)."""
    convolution = nn.ConvTranspose2d(inputs, width, 3, stride=2, padding=1, output_padding=1)
    return convolution, nn.BatchNorm2d(width, EPS), nn.ReLU(inplace=True)
