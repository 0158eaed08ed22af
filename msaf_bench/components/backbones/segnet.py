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

#: Convolutions of VGG-16's stages, in units of the width.
ENCODER = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
#: Of the decoder's, coarsest first and without the finest, which belongs to the head: of the
#: original, and of the PyTorch code of Huang et al. 2018, where the first convolution of a stage
#: narrows and not the last.
DECODERS = {
    "original": ((8, 8, 8), (8, 8, 4), (4, 4, 2), (2, 1)),
    "narrow": ((8, 8, 8), (4, 4, 4), (2, 2, 2), (1, 1)),
}
LAST = ("convolution", "norm", "relu")
DROPPED = 3  #: the coarsest stages of both sides end with dropout


class SegNet(Backbone):
    """Image (N, 3, H, W) -> w features at the size of the image, as all three of the Stages: the
    decoder's last, unpooled.

    Unpooling puts each value back where the maximum was and leaves the rest 0. Odd sides are pooled
    as in the code that the decoder is from: up (Caffe) or down (PyTorch), but never to nothing.
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
    """The finest stage of the decoder: two 3x3 convolutions with batch norm and ReLU, then what
    `last` says.

    "convolution" is one more of those, to the classes. Without it the two give the classes
    themselves, the second up to its "norm", or up to its "relu": then no logit is negative.
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
        """Return the features (N, d, h, w) that the classifier reads."""
        return self.mix(stages.f5)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, h, w) of features (N, d, h, w)."""
        return self.classifier(features)


def segnet(*, width: int = 64, decoder: str = "original") -> SegNet:
    """Bayesian SegNet up to its head: `width` of the finest stage, `decoder` "original" or
    "narrow".
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
