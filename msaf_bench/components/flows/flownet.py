"""FlowNet-S and FlowNet-C (Dosovitskiy et al., ICCV 2015), as in FlowNet 2.0's PyTorch release.

Shapes: B batch, C channels, H W image, h w grid. The networks take a pair (B, 6, H, W) with sides
that are multiples of 64. They return flow at 1/4, in units of `UNIT` pixels of the pair. Layers
have the release's names, so its state dicts load.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.interfaces import Flow
from msaf_bench.components.weight_files import load_weights
from msaf_bench.data.transforms import STD

UNIT = 20.0  #: pixels per unit of the networks' output
MULTIPLE = 64  #: sides are padded to multiples of it
REACH, STEP = 20, 2  #: largest displacement and step of FlowNet-C's correlation, in its pixels

#: Name -> channels in units of the width, kernel, stride.
Layers = Mapping[str, tuple[int, int, int]]
STEM: Layers = {"conv1": (1, 7, 2), "conv2": (2, 5, 2), "conv3": (4, 5, 2)}
DEEP: Layers = {
    "conv4": (8, 3, 2),
    "conv4_1": (8, 3, 1),
    "conv5": (8, 3, 2),
    "conv5_1": (8, 3, 1),
    "conv6": (16, 3, 2),
    "conv6_1": (16, 3, 1),
}
ENCODER: Layers = {**STEM, "conv3_1": (4, 3, 1), **DEEP}


class FlowNetS(nn.ModuleDict):
    """The simple network: both frames, and other inputs if any, are channels of one input."""

    def __init__(self, inputs: int = 6, *, width: int = 64, up_bias: bool = False) -> None:
        channels = [width * n for n in (16, 8, 8, 4, 2)]
        refining = refinement(channels, [width * n for n in (8, 4, 2, 1)], finest=2, bias=up_bias)
        super().__init__({**convolutions(inputs, ENCODER, width), **refining})
        start(self)

    def features(self, pair: Tensor) -> Tensor:
        """Return the input of the last flow prediction, (B, 3 width + 2, h, w) at 1/4."""
        found = run(self, ENCODER, pair)
        return refine(
            self,
            [found[name] for name in ("conv6_1", "conv5_1", "conv4_1", "conv3_1", "conv2")],
            finest=2,
        )

    def forward(self, pair: Tensor) -> Tensor:
        return predict(self, 2, self.features(pair))


class FlowNetC(nn.ModuleDict):
    """The network with a correlation: compares the features of both frames.

    Both frames pass one stem; the features of one are then correlated with those of the other in a
    window around each position.
    """

    def __init__(self, *, width: int = 64) -> None:
        matches = (2 * REACH // STEP + 1) ** 2
        channels = [width * n for n in (16, 8, 8, 4, 2)]
        super().__init__(
            {
                **convolutions(3, STEM, width),
                "conv_redir": _convolution(4 * width, width // 2, 1, 1),
                "conv3_1": _convolution(width // 2 + matches, 4 * width, 3, 1),
                **convolutions(4 * width, DEEP, width),
                **refinement(channels, [width * n for n in (8, 4, 2, 1)], finest=2),
            }
        )
        start(self)

    def forward(self, pair: Tensor) -> Tensor:
        one, other = (run(self, STEM, frame) for frame in pair.chunk(2, 1))
        matches = functional.leaky_relu(correlation(one["conv3"], other["conv3"], REACH, STEP), 0.1)
        merged = self["conv3_1"](torch.cat((self["conv_redir"](one["conv3"]), matches), 1))
        deep = run(self, DEEP, merged)
        return predict(
            self,
            2,
            refine(
                self,
                [deep["conv6_1"], deep["conv5_1"], deep["conv4_1"], merged, one["conv2"]],
                finest=2,
            ),
        )


class PairFlow(Flow):
    """Component of the slot `flow` around a network of pairs.

    Normalised frames -> flow (B, 2, H, W) in pixels of the frames, at any H, W. As published, the
    network sees frames in [0, 1] minus the mean colour of both. Zeros pad them to multiples of 64.
    """

    def __init__(self, net: nn.Module, finish: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net = net
        self.finish = finish

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        h, w = image.shape[-2:]
        both = torch.stack((image, reference), 1) * image.new_tensor(STD).view(3, 1, 1)
        pair = (both - both.mean((1, 3, 4), keepdim=True)).flatten(1, 2)
        return self.finish(self.net(functional.pad(pair, (0, -w % MULTIPLE, 0, -h % MULTIPLE))))[
            ..., :h, :w
        ]


def flownet_s(*, width: int = 64, weights: str = "") -> PairFlow:
    """Build FlowNet-S for the slot `flow`.

    `width` is the number of channels of its first convolution, `weights` the path of a state dict
    of `FlowNetS`.
    """
    return _loaded(FlowNetS(width=width), weights)


def flownet_c(*, width: int = 64, weights: str = "") -> PairFlow:
    """Build FlowNet-C for the slot `flow`.

    `width` is the number of channels of its first convolution, `weights` the path of a state dict
    of `FlowNetC`.
    """
    return _loaded(FlowNetC(width=width), weights)


def _loaded(net: nn.Module, weights: str) -> PairFlow:
    if weights:
        load_weights(net, weights)
    return PairFlow(net, partial(enlarge, mode="bilinear"))


def enlarge(flow: Tensor, *, mode: str) -> Tensor:
    """Upsample flow from 1/4 to full size and convert it from units to pixels."""
    return UNIT * functional.interpolate(flow, scale_factor=4, mode=mode)


def correlation(x: Tensor, y: Tensor, reach: int, step: int) -> Tensor:
    """Return the mean over the channels of x(p) y(p + d) for each displacement d = (dy, dx).

    The loop over displacements multiplies whole maps, so that no window is unfolded.

    Args:
        x: Features (B, C, h, w).
        y: Features (B, C, h, w); 0 outside the map.
        reach: Largest displacement along each axis, in pixels.
        step: Step between displacements: -reach, -reach + step, ... reach, row by row.

    Returns:
        Correlations (B, (2 reach / step + 1)², h, w).
    """
    h, w = x.shape[-2:]
    padded = functional.pad(y, (reach,) * 4)
    places = range(0, 2 * reach + 1, step)
    return torch.stack(
        [(x * padded[..., i : i + h, j : j + w]).mean(1) for i in places for j in places], 1
    )


def convolutions(inputs: int, layers: Layers, width: int) -> dict[str, nn.Module]:
    """Build a chain of convolutions with leaky ReLU, by name."""
    made = dict[str, nn.Module]()
    for name, (outputs, kernel, stride) in layers.items():
        made[name] = _convolution(inputs, outputs * width, kernel, stride)
        inputs = outputs * width
    return made


def run(net: nn.ModuleDict, names: Iterable[str], x: Tensor) -> dict[str, Tensor]:
    """Run a chain of layers and return the output of each, by name."""
    made = dict[str, Tensor]()
    for name in names:
        made[name] = x = net[name](x)
    return made


def refinement(
    channels: Sequence[int],
    widths: Sequence[int],
    *,
    finest: int,
    smooth: bool = False,
    bias: bool = True,
) -> dict[str, nn.Module]:
    """Build the expanding part: the layers from the coarsest stage to flow at level `finest`.

    Stage i is at 1/2^i.

    Args:
        channels: Channels of the stages, coarsest first.
        widths: Channels of the deconvolutions, coarsest first.
        finest: Level of the last flow.
        smooth: Put a convolution before each prediction except the first.
        bias: Give the upsampling of the flow a bias.

    Returns:
        Layers by name.
    """
    level, inputs = finest + len(widths), channels[0]
    layers: dict[str, nn.Module] = {f"predict_flow{level}": _predictor(inputs)}
    for skip, width in zip(channels[1:], widths, strict=True):
        layers[f"deconv{level - 1}"] = nn.Sequential(
            nn.ConvTranspose2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.1, inplace=True)
        )
        layers[f"upsampled_flow{level}_to_{level - 1}"] = nn.ConvTranspose2d(
            2, 2, 4, 2, 1, bias=bias
        )
        level, inputs = level - 1, skip + width + 2
        if smooth:
            layers[f"inter_conv{level}"] = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1))
        layers[f"predict_flow{level}"] = _predictor(width if smooth else inputs)
    return layers


def refine(net: nn.ModuleDict, stages: Sequence[Tensor], *, finest: int) -> Tensor:
    """Return the input of the last flow prediction for stages, coarsest first.

    It concatenates the finest stage with the upsampled features and flow of the level above.
    """
    level, x = finest + len(stages) - 1, stages[0]
    for skip in stages[1:]:
        up = net[f"upsampled_flow{level}_to_{level - 1}"](predict(net, level, x))
        level -= 1
        h, w = skip.shape[-2:]
        x = torch.cat((skip, net[f"deconv{level}"](x)[..., :h, :w], up[..., :h, :w]), 1)
    return x


def predict(net: nn.ModuleDict, level: int, x: Tensor) -> Tensor:
    """Predict the flow of a level from its features."""
    smooth = f"inter_conv{level}"
    return net[f"predict_flow{level}"](net[smooth](x) if smooth in net else x)


def start(net: nn.Module) -> None:
    """Initialise weights for training from scratch.

    Every layer keeps the variance of its input (He et al. 2015), and flow starts small.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            read = module.in_channels * module.weight[0, 0].numel()
            if isinstance(module, nn.ConvTranspose2d):
                read //= module.stride[0] * module.stride[1]
            small = 0.1 if module.out_channels == 2 else 1.0
            nn.init.normal_(module.weight, std=small * (2 / read) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.LeakyReLU(0.1, inplace=True)
    )


def _predictor(inputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, 2, 3, padding=1)
