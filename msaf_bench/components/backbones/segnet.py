"""Bayesian SegNet: VGG-16 and its mirror image, with dropout in the middle (Kendall et al. 2015).

Shapes: N images, C channels, w width, K classes, H W image.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import one_of
from msaf_bench.ports import Stages

#: Channels of the convolutions of VGG-16's stages, in units of the width.
ENCODER = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
#: Channels of the decoder's stages, coarsest first. The finest stage belongs to the head.
#: "original" narrows in the last convolution of a stage, "narrow" in the first, as in the PyTorch
#: code of Huang et al. 2018.
DECODERS = {
    "original": ((8, 8, 8), (8, 8, 4), (4, 4, 2), (2, 1)),
    "narrow": ((8, 8, 8), (4, 4, 4), (2, 2, 2), (1, 1)),
}
LAST = ("convolution", "norm", "relu")
DROPPED = 3  #: number of coarse stages on each side that end with dropout


class SegNet(Backbone):
    """Image (N, 3, H, W) -> w features at full size, as all three of the Stages.

    The features are the unpooled output of the decoder. Unpooling puts each value back at the place
    of its maximum and sets all other pixels to 0. Pooling rounds odd sides as in the code of the
    chosen decoder: up (Caffe) or down (PyTorch), but never to 0.
    """

    def __init__(self, width: int, *, decoder: str) -> None:
        super().__init__()
        inputs, stages = 3, list[nn.Module]()
        for units in (*ENCODER, *DECODERS[one_of("decoder of segnet", decoder, DECODERS)]):
            stages.append(_stage(inputs, *(width * n for n in units)))
            inputs = width * units[-1]
        self.down, self.up = (
            nn.ModuleList(stages[: len(ENCODER)]),
            nn.ModuleList(stages[len(ENCODER) :]),
        )
        self.upwards = decoder == "original"
        self.dropout = nn.Dropout(0.5)
        self.channels = (width, width, width)
        self.stride = 1

    def forward(self, image: Tensor) -> Stages:
        x, places = image, list[tuple[Tensor, torch.Size]]()
        for i, stage in enumerate(self.down):
            x = stage(x)
            size = x.shape[-2:]
            x, index = functional.max_pool2d(
                x, 2, ceil_mode=self.upwards or bool(min(size) == 1), return_indices=True
            )
            places.append((index, size))
            x = self.dropout(x) if i >= len(ENCODER) - DROPPED else x
        for i, stage in enumerate(self.up):
            x = stage(_unpool(x, *places.pop()))
            x = self.dropout(x) if i < DROPPED else x
        x = _unpool(x, *places.pop())
        return Stages(x, x, x)


class SegNetHead(Head):
    """Finest stage of the decoder: two 3x3 convolutions with batch norm and ReLU.

    `last` chooses the last layer. "convolution" adds a 3x3 convolution to the classes. With "norm"
    and "relu" the two convolutions give the classes themselves; "norm" leaves out the last ReLU,
    with "relu" no logit is negative.
    """

    def __init__(
        self, channels: tuple[int, int, int], num_classes: int, *, last: str = "convolution"
    ) -> None:
        super().__init__()
        more = one_of("last layer of segnet-head", last, LAST) == "convolution"
        self.width = channels[2] if more else num_classes
        *layers, relu = _stage(channels[2], self.width, self.width)
        self.mix = nn.Sequential(*layers, nn.Identity() if last == "norm" else relu)
        self.classifier = (
            nn.Conv2d(self.width, num_classes, 3, padding=1) if more else nn.Identity()
        )

    def features(self, stages: Stages) -> Tensor:
        """Return the input of the classifier, (N, d, h, w)."""
        return self.mix(stages.f5)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) for features (N, d, h, w)."""
        return self.classifier(features)


def segnet(*, width: int = 64, decoder: str = "original") -> SegNet:
    """Build Bayesian SegNet without its head.

    `width` is the number of channels of the finest stage, `decoder` is "original" or "narrow".
    """
    return SegNet(width, decoder=decoder)


def _stage(*widths: int) -> nn.Sequential:
    layers = list[nn.Module]()
    for inputs, outputs in pairwise(widths):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _unpool(x: Tensor, index: Tensor, size: torch.Size) -> Tensor:
    return functional.max_unpool2d(x, index, [2, 2], output_size=list(size))
