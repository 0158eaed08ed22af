"""FlowNet 2.0 (Ilg et al., CVPR 2017), laid out as in its PyTorch release.

Networks C, S and S are stacked, SD runs beside them, and a fusion network combines both. Shapes:
B batch, H W image with sides that are multiples of 64. Layers have the release's names, so its
state dict loads.
"""

from typing import cast

import torch
from torch import Tensor, nn

from msaf_bench.components.blocks.warp import warp
from msaf_bench.components.flows.flownet import (
    DEEP,
    UNIT,
    FlowNetC,
    FlowNetS,
    Layers,
    PairFlow,
    convolutions,
    enlarge,
    predict,
    refine,
    refinement,
    run,
    start,
)
from msaf_bench.components.weight_files import load_weights

FINE: Layers = {
    "conv0": (1, 3, 1),
    "conv1": (1, 3, 2),
    "conv1_1": (2, 3, 1),
    "conv2": (2, 3, 2),
    "conv2_1": (2, 3, 1),
}
ENCODER: Layers = {**FINE, "conv3": (4, 3, 2), "conv3_1": (4, 3, 1), **DEEP}


class FlowNetSD(nn.ModuleDict):
    """The network for small displacements, with 3x3 convolutions from full size on.

    Pair (B, 6, H, W) -> flow at 1/4.
    """

    def __init__(self, *, width: int = 64) -> None:
        channels = [width * n for n in (16, 8, 8, 4, 2)]
        refining = refinement(channels, [width * n for n in (8, 4, 2, 1)], finest=2, smooth=True)
        super().__init__({**convolutions(6, ENCODER, width), **refining})
        start(self)

    def forward(self, pair: Tensor) -> Tensor:
        found = run(self, ENCODER, pair)
        stages = [found[name] for name in ("conv6_1", "conv5_1", "conv4_1", "conv3_1", "conv2_1")]
        return predict(self, 2, refine(self, stages, finest=2))


class Fusion(nn.ModuleDict):
    """Two flows and the evidence for each (B, 11, H, W) -> flow (B, 2, H, W)."""

    def __init__(self, *, width: int = 64) -> None:
        refining = refinement(
            [2 * width, 2 * width, width], [width // 2, width // 4], finest=0, smooth=True
        )
        super().__init__({**convolutions(11, FINE, width), **refining})
        start(self)

    def forward(self, evidence: Tensor) -> Tensor:
        found = run(self, FINE, evidence)
        return predict(
            self,
            0,
            refine(self, [found[name] for name in ("conv2_1", "conv1_1", "conv0")], finest=0),
        )


class FlowNet2(nn.ModuleDict):
    """The whole stack: pair (B, 6, H, W) -> flow (B, 2, H, W) in pixels."""

    def __init__(self, *, width: int = 64) -> None:
        super().__init__(
            {
                "flownetc": FlowNetC(width=width),
                "flownets_1": FlowNetS(12, width=width),
                "flownets_2": FlowNetS(12, width=width),
                "flownets_d": FlowNetSD(width=width),
                "flownetfusion": Fusion(width=width),
            }
        )

    def forward(self, pair: Tensor) -> Tensor:
        image, reference = pair.chunk(2, 1)
        first = enlarge(self["flownetc"](pair), mode="bilinear")
        second = enlarge(self["flownets_1"](_corrected(pair, first)), mode="bilinear")
        large = enlarge(self["flownets_2"](_corrected(pair, second)), mode="nearest")
        # one unit of its output is 1 / UNIT pixels
        small = enlarge(self["flownets_d"](pair), mode="nearest") / UNIT**2
        errors = [_length(image - warp(reference, flow)) for flow in (small, large)]
        return self["flownetfusion"](
            torch.cat((image, small, large, _length(small), _length(large), *errors), 1)
        )


def flownet2(*, width: int = 64, weights: str = "") -> PairFlow:
    """Build FlowNet 2.0 for the slot `flow`.

    `width` is the number of channels of its first convolutions, `weights` the path of a state dict
    of `FlowNet2`.
    """
    net = FlowNet2(width=width)
    if weights:
        load_weights(net, weights)
    return PairFlow(net, nn.Identity())


def _corrected(pair: Tensor, flow: Tensor) -> Tensor:
    """Return the input of the next network of the stack.

    It concatenates the pair, the warped reference, the flow and the error of the warped reference.
    """
    image, reference = pair.chunk(2, 1)
    warped = warp(reference, flow)
    return torch.cat((pair, warped, flow / UNIT, _length(image - warped)), 1)


def _length(x: Tensor) -> Tensor:
    # unlike a root of squares, it has a gradient at 0
    return cast("Tensor", torch.linalg.vector_norm(x, dim=1, keepdim=True))
