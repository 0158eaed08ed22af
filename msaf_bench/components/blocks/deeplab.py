"""DeepLab on ResNets at 1/16, as in Deep Feature Flow and Accel.

The last stage is dilated or deformable; there is no pyramid. Shapes: N images, C channels,
K classes, H W image in multiples of 16, h w grid (1/16).
"""

from typing import cast

import torch
from torch import Tensor, nn

from msaf_bench.components.align import deformable_conv2d, inside
from msaf_bench.components.backbones.resnet import BasicBlock, Bottleneck
from msaf_bench.components.blocks.warp import bounded
from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Backbone, ResNetLayers, offers
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages

STRIDE = 16


class DeepLabFeatures(nn.Module):
    """Image (N, 3, H, W) -> F5 (N, C, h, w) of a ResNet at 1/16.

    The ResNet is changed to the form of the first ResNets (He et al. 2016): the stride of a
    bottleneck is in its first 1x1 convolution, and the pooling of the stem starts at the edge.

    Args:
        backbone: ResNet at 1/16; changed in place.
        groups: Number of channel groups with their own offsets in the deformable last stage; 0 for
            a last stage that is not deformable.
        reach: Dilation of the convolution that predicts the offsets.
        limit: Bound on the offsets as a share of the grid's sides; 0 for no bound.

    Raises:
        UsageError: The backbone is not a ResNet at 1/16.
    """

    def __init__(
        self, backbone: Backbone, *, groups: int = 0, reach: int = 1, limit: float = 0.0
    ) -> None:
        super().__init__()
        if not offers(backbone, ResNetLayers) or backbone.stride != STRIDE:
            raise UsageError(
                "backbone: this network needs a ResNet at 1/16; write { use = 'resnet101',"
                " output_stride = 16 }"
            )
        backbone.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        for first in (backbone.layer2[0], backbone.layer3[0]):
            if isinstance(first, Bottleneck):
                first.conv1.stride, first.conv2.stride = first.conv2.stride, (1, 1)
        if groups:
            for block in backbone.layer4:
                convolution = cast("nn.Conv2d", block.get_submodule("conv2"))
                deformable = Deformable(convolution, groups=groups, reach=reach, limit=limit)
                block.register_module("conv2", deformable)
        self.resnet = backbone
        self.width = backbone.channels[2]

    def forward(self, image: Tensor) -> Tensor:
        return Stages(*self.resnet(image)).f5


class Deformable(nn.Module):
    """A 3x3 convolution of stride 1 made deformable: (N, C, h, w) -> (N, D, h, w).

    Offsets are 0 at the start.
    """

    spread: Tensor

    def __init__(
        self, convolution: nn.Conv2d, *, groups: int, reach: int, limit: float = 0.0
    ) -> None:
        super().__init__()
        self.groups = groups
        self.limit = limit
        self.weight = convolution.weight
        self.offset = nn.Conv2d(
            convolution.in_channels, groups * 18, 3, padding=reach, dilation=reach
        )
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # pyright: ignore[reportArgumentType]
        # A dilation of n equals an offset of n - 1 times each point's place in the kernel.
        places = torch.cartesian_prod(torch.arange(-1.0, 2), torch.arange(-1.0, 2))
        self.register_buffer(
            "spread", (convolution.dilation[0] - 1) * places.view(18, 1, 1), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        # Offsets are (dy, dx), flow is (dx, dy).
        offsets: Tensor = (
            bounded(self.offset(x).unflatten(1, (-1, 2)).flip(2), self.limit).flip(2).flatten(1, 2)
        )
        gauge("offset_rms", lambda: offsets.float().square().mean().sqrt())
        gauge("inside", lambda: self._inside(offsets.float().reshape(-1, 18, *offsets.shape[-2:])))
        parts = zip(
            x.chunk(self.groups, 1),
            offsets.chunk(self.groups, 1),
            self.weight.chunk(self.groups, 1),
            strict=True,
        )
        return sum(
            (
                deformable_conv2d(part, offset + self.spread, weight)
                for part, offset, weight in parts
            ),
            x.new_zeros(()),
        )

    def _inside(self, offset: Tensor) -> Tensor:
        """Return the share of taps on the map, relative to the regular dilated kernel.

        Offsets are (N, 18, h, w).
        """
        return (inside(offset + self.spread, 3) / inside(offset * 0 + self.spread, 3)).clamp(max=1)


class DeepLabHead(nn.Module):
    """Features (N, C, h, w) -> logits (N, K, H, W), in two steps: `classify(features(x))`."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.width = channels // 2
        self.mix = nn.Sequential(nn.Conv2d(channels, self.width, 1), nn.ReLU())
        self.classifier = nn.Conv2d(self.width, num_classes, 1)
        self.enlarge = BilinearDeconvolution(num_classes, STRIDE)

    def features(self, x: Tensor) -> Tensor:
        """Reduce features (N, C, h, w) to (N, C / 2, h, w)."""
        return self.mix(x)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (N, K, H, W) for reduced features (N, C / 2, h, w)."""
        return self.enlarge(self.classifier(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


class BilinearDeconvolution(nn.ConvTranspose2d):
    """Bilinear upsampling by an integer factor as a fixed deconvolution (Long et al. 2015).

    The map is 0 outside its border.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(
            channels, channels, 2 * factor, factor, factor // 2, groups=channels, bias=False
        )
        ramp = 1 - ((torch.arange(2 * factor) + 0.5) / factor - 1).abs()
        with torch.no_grad():
            self.weight.copy_(ramp[:, None] * ramp)
        self.weight.requires_grad_(False)


class UpdateFeatures(nn.Module):
    """Second network of Accel-18 and Accel-34: image (N, 3, H, W) -> (N, outputs, h, w).

    Three stages of pre-activated basic blocks (He et al. 2016b) lead to 1/16. A deformable stage of
    post-activated blocks follows at 1/32, and a learned deconvolution returns to 1/16. `depths` are
    the numbers of blocks of the four stages; `limit` bounds the offsets as in `DeepLabFeatures`.
    """

    def __init__(
        self,
        depths: tuple[int, int, int, int],
        outputs: int,
        *,
        width: int = 64,
        limit: float = 0.0,
    ) -> None:
        super().__init__()
        self.colours = nn.BatchNorm2d(3, eps=2e-5)
        self.colours.weight.requires_grad_(False)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width, eps=2e-5),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.Sequential()
        inputs = width
        for i, depth in enumerate(depths[:3]):
            for j in range(depth):
                self.stages.append(
                    PreActivated(inputs, width << i, stride=2 if i and not j else 1, first=not j)
                )
                inputs = width << i
        self.last = nn.Sequential()
        for j in range(depths[3]):
            block = BasicBlock(inputs, 8 * width, stride=1 if j else 2, dilations=(1, 2))
            deformable = Deformable(block.conv2, groups=4, reach=2, limit=limit)
            block.register_module("conv2", deformable)
            self.last.append(block)
            inputs = 8 * width
        self.up = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        x = self.stages(self.stem(self.colours(image)))
        return self.up(self.last(x))[..., : x.shape[-2], : x.shape[-1]]


class PreActivated(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, with a shortcut.

    The shortcut of the first block of a stage is a projection.
    """

    def __init__(self, inputs: int, width: int, *, stride: int, first: bool) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(inputs, eps=2e-5), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width, eps=2e-5),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
        )
        self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False) if first else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        return self.body(y) + (self.shortcut(y) if self.shortcut else x)
