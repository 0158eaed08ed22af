"""Assignment of features to classes. Shapes: B batch, d width, K classes, h w grid."""

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.interfaces import Assign
from msaf_bench.errors import one_of
from msaf_bench.ports import Output


def _mean_logits(a: Tensor, b: Tensor) -> Tensor:
    return (a + b) / 2


def _mean_softmax(a: Tensor, b: Tensor) -> Tensor:
    # Log-probabilities, because cross-entropy takes a softmax of its input.
    return torch.logaddexp(a.log_softmax(1), b.log_softmax(1)) - log(2)


def _logits(region: Tensor) -> Tensor:
    return region


def _softmax(region: Tensor) -> Tensor:
    return region.softmax(1)


def _spatial(region: Tensor) -> Tensor:
    return region.flatten(2).softmax(2).view_as(region)


_MEANS = {"logits": _mean_logits, "softmax": _mean_softmax}
_WEIGHTS = {"logits": _logits, "softmax": _softmax, "spatial": _spatial}


class TwoConvs(nn.Module):
    """The paper's two convolutions: descriptors, then class logits.

    Features (B, d, h, w) -> descriptors (B, d, h, w) and logits (B, K, h, w).
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = conv_bn_relu(width, width, 3)
        self.logits = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.hidden(x)
        return hidden, self.logits(hidden)


class OneHead(Assign):
    """No assignment: logits of the static features alone."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.pixel = TwoConvs(width, num_classes)

    def forward(self, dynamic: Tensor, static: Tensor) -> Output:
        return Output(self.pixel(static)[1], {})


class MeanOfMasks(Assign):
    """Mean of the masks of both branches ("w/o Semantics", section 4.3).

    The mean is taken over logits or, with `of = "softmax"`, over probabilities.
    """

    def __init__(self, width: int, num_classes: int, *, of: str = "logits") -> None:
        super().__init__()
        self.mean = _MEANS[one_of("of", of, _MEANS)]
        self.pixel = TwoConvs(width, num_classes)
        self.region = TwoConvs(width, num_classes)

    def forward(self, dynamic: Tensor, static: Tensor) -> Output:
        pixel, region = self.pixel(static)[1], self.region(dynamic)[1]
        return Output(self.mean(pixel, region), {"pixel": pixel, "region": region})


class SemanticAssignment(Assign):
    """Assignment of pixel descriptors to region descriptors by cosine (section 3.5, Eqs. 10-14).

    A region descriptor is the spatial mean of the dynamic features, weighted by the mask of a
    class. The cosine reduces to one matrix product: |pix| does not change the argmax, so only the
    regions are normalised (Eq. 13).

    Args:
        width: Number of channels d.
        num_classes: Number of classes K.
        weights: Weights of the spatial mean: the mask's "logits" (as written), their "softmax" over
            classes, or their softmax over positions ("spatial").
        pixels: Pixel descriptors: the "hidden" features between the two convolutions, or the static
            "features" themselves.
        normalize_pixels: Normalise the pixel descriptors too.
        scale: Factor of the logits; 0 makes it a learned parameter that starts at 10.
    """

    def __init__(
        self,
        width: int,
        num_classes: int,
        *,
        weights: str = "logits",
        pixels: str = "hidden",
        normalize_pixels: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weights = _WEIGHTS[one_of("weights", weights, _WEIGHTS)]
        self.hidden = one_of("pixels", pixels, ("hidden", "features")) == "hidden"
        self.normalize_pixels = normalize_pixels
        self.scale = scale or nn.Parameter(torch.tensor(10.0))
        self.pixel = TwoConvs(width, num_classes)
        self.region = TwoConvs(width, num_classes)

    def forward(self, dynamic: Tensor, static: Tensor) -> Output:
        hidden, pixel = self.pixel(static)
        region = self.region(dynamic)[1]
        regions = region_descriptors(self.weights(region), dynamic)
        descriptors = hidden if self.hidden else static
        if self.normalize_pixels:
            descriptors = functional.normalize(descriptors, dim=1)
        return Output(
            self.scale * partition(descriptors, regions), {"pixel": pixel, "region": region}
        )


def region_descriptors(weights: Tensor, features: Tensor) -> Tensor:
    """Return the spatial mean of the features under each weight, (B, K, d) (section 3.5).

    Weights are (B, K, h, w), features (B, d, h, w).
    """
    return weights.flatten(2) @ features.flatten(2).transpose(1, 2) / weights[0, 0].numel()


def partition(pixels: Tensor, regions: Tensor) -> Tensor:
    """Return the product of each pixel with the normalised regions, (B, K, h, w) (Eq. 13).

    Pixels are (B, d, h, w), regions (B, K, d).
    """
    products = functional.normalize(regions, dim=2) @ pixels.flatten(2)
    return products.view(*products.shape[:2], *pixels.shape[-2:])
