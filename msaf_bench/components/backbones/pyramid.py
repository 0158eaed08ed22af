"""PSPNets as backbones: dilated ResNets with pyramid pooling on F5.

Shapes: N images, C channels, d width, H W image, h w grid.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from msaf_bench.components.backbones.resnet import DilatedResNet, resnet18, resnet50, resnet101
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.heads import PyramidPooling
from msaf_bench.components.interfaces import Backbone
from msaf_bench.ports import Stages


class PyramidBackbone(Backbone):
    """Image (N, 3, H, W) -> Stages with F5 replaced by the input of PSPNet's classifier.

    This F5 is pyramid pooling followed by a 3x3 convolution to d channels; d is four times the
    ResNet's first width, 256 for the published ones. The options are those of the ResNet. It keeps
    its parameter names in `resnet`, so its `weights` load.
    """

    def __init__(
        self,
        resnet: Callable[..., DilatedResNet],
        *,
        width: int = 64,
        stem: str = "plain",
        dilate: str = "all",
        weights: str = "",
    ) -> None:
        super().__init__()
        self.resnet = resnet(width=width, stem=stem, dilate=dilate, weights=weights)
        c3, c4, c5 = self.resnet.channels
        d = 4 * width
        self.pyramid = PyramidPooling(c5)
        self.mix = conv_bn_relu(2 * c5, d, 3)
        self.channels = (c3, c4, d)
        self.stride = self.resnet.stride

    def forward(self, image: Tensor) -> Stages:
        stages = self.resnet(image)
        return stages._replace(f5=self.mix(self.pyramid(stages.f5)))


psp18 = partial(PyramidBackbone, resnet18)
psp50 = partial(PyramidBackbone, resnet50)
psp101 = partial(PyramidBackbone, resnet101)
