"""FlowNet-S and FlowNet-C (Dosovitskiy et al., ICCV 2015), laid out as in the PyTorch release of
FlowNet 2.0.

Shapes: B batch, C channels, H W image, h w grid. Networks here take a pair (B, 6, H, W), sides of
multiples of 64, and give flow in units of `UNIT` pixels of the pair at 1/4. Layers have the
release's names, so its state dicts load.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.interfaces import Flow
from msaf_bench.components.weight_files import load_weights
from msaf_bench.data.transforms import STD

UNIT = 20.0  #: pixels that the networks' output 1 means
MULTIPLE = 64  #: of it the sides are, inside
REACH, STEP = 20, 2  #: of FlowNet-C's correlation, in pixels of its grid

#: Name -> outputs in units of the width, kernel, stride.
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
    """The simple one: the frames (and what else is known of them) are the channels of one input."""

    def __init__(self, inputs: int = 6, *, width: int = 64, up_bias: bool = False) -> None:
        channels = [width * n for n in (16, 8, 8, 4, 2)]
        refining = refinement(channels, [width * n for n in (8, 4, 2, 1)], finest=2, bias=up_bias)
        super().__init__({**convolutions(inputs, ENCODER, width), **refining})
        start(self)

    def features(self, pair: Tensor) -> Tensor:
        """Pair (B, 6, H, W) -> (B, 3 width + 2, h, w) at 1/4: what the last flow is read from."""
        found = run(self, ENCODER, pair)
        return refine(
            self,
            [found[name] for name in ("conv6_1", "conv5_1", "conv4_1", "conv3_1", "conv2")],
            finest=2,
        )

    def forward(self, pair: Tensor) -> Tensor:
        return predict(self, 2, self.features(pair))


class FlowNetC(nn.ModuleDict):
    """The one that compares: both frames pass one stem, then the features of one are correlated
    with the other's around each place.
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
    """A network of pairs as the slot `flow` wants it: normalised frames -> flow (B, 2, H, W) in
    pixels of the frames, at any H, W.

    As published the frames are in [0, 1], less the mean colour of both; here zeros then fill up to
    multiples of 64.
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
    """FlowNet-S for the slot `flow`. `width` is that of its first convolution; `weights` the path
    of a state dict of `FlowNetS`.
    """
    return _loaded(FlowNetS(width=width), weights)


def flownet_c(*, width: int = 64, weights: str = "") -> PairFlow:
    """The same of FlowNet-C."""
    return _loaded(FlowNetC(width=width), weights)


def _loaded(net: nn.Module, weights: str) -> PairFlow:
    if weights:
        load_weights(net, weights)
    return PairFlow(net, partial(enlarge, mode="bilinear"))


def enlarge(flow: Tensor, *, mode: str) -> Tensor:
    """Flow at 1/4 in units -> full size in pixels."""
    return UNIT * functional.interpolate(flow, scale_factor=4, mode=mode)


def correlation(x: Tensor, y: Tensor, reach: int, step: int) -> Tensor:
    """Mean over the channels of x(p) y(p + d) for d = (dy, dx), both in -reach, -reach + step, ...
    reach, row by row; 0 outside of y.

    x, y (B, C, h, w) -> (B, (2 reach / step + 1)^2, h, w). One product of maps a displacement: no
    window is unfolded.
    """
    h, w = x.shape[-2:]
    padded = functional.pad(y, (reach,) * 4)
    places = range(0, 2 * reach + 1, step)
    return torch.stack(
        [(x * padded[..., i : i + h, j : j + w]).mean(1) for i in places for j in places], 1
    )


def convolutions(inputs: int, layers: Layers, width: int) -> dict[str, nn.Module]:
    """A chain of convolutions with leaky ReLU."""
    made = dict[str, nn.Module]()
    for name, (outputs, kernel, stride) in layers.items():
        made[name] = _convolution(inputs, outputs * width, kernel, stride)
        inputs = outputs * width
    return made


def run(net: nn.ModuleDict, names: Iterable[str], x: Tensor) -> dict[str, Tensor]:
    """What each layer of a chain gives."""
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
    """The expanding part: layers that take stages of `channels`, coarsest first, to the flow of
    level `finest`, where stage i is at 1/2^i.

    `widths` are those of the deconvolutions; `smooth` puts a convolution before each prediction but
    the first.
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
    """Stages, coarsest first -> what the last flow is predicted from: the finest stage, the
    features above it and their flow, enlarged.
    """
    level, x = finest + len(stages) - 1, stages[0]
    for skip in stages[1:]:
        up = net[f"upsampled_flow{level}_to_{level - 1}"](predict(net, level, x))
        level -= 1
        h, w = skip.shape[-2:]
        x = torch.cat((skip, net[f"deconv{level}"](x)[..., :h, :w], up[..., :h, :w]), 1)
    return x


def predict(net: nn.ModuleDict, level: int, x: Tensor) -> Tensor:
    """The flow of a level from its features."""
    smooth = f"inter_conv{level}"
    return net[f"predict_flow{level}"](net[smooth](x) if smooth in net else x)


def start(net: nn.Module) -> None:
    """Weights to learn from scratch with: every layer keeps the variance of its input (He et al.
    2015), and flow starts small.
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
