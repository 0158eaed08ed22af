"""Flow network of Deep Feature Flow (Zhu et al., CVPR 2017).

Shapes: B batch, H W image in multiples of 16, h w grid (1/16).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.blocks.warp import bounded
from msaf_bench.components.flows.flownet import FlowNetS, predict
from msaf_bench.data.transforms import STD

UNIT = 2.5  #: pixels of the grid per unit of the network's output


class FeatureFlow(nn.Module):
    """FlowNet-S at half size, averaged to the grid of the features.

    Normalised frames -> flow (B, 2, h, w) in pixels of the grid. `scaled` also returns the scale
    map (B, C, h, w) of warped features; it is 1 at the start. `limit` bounds flow to a share of the
    grid's sides; 0 for no bound.
    """

    def __init__(self, channels: int, *, width: int = 64, limit: float = 0.0) -> None:
        super().__init__()
        self.limit = limit
        self.net = FlowNetS(width=width, up_bias=True)
        self.scale = nn.Conv2d(3 * width + 2, channels, 1)
        nn.init.zeros_(self.scale.weight)
        nn.init.ones_(self.scale.bias)  # pyright: ignore[reportArgumentType]

    def features(self, image: Tensor, reference: Tensor) -> Tensor:
        """Return the input of the flow prediction for two frames, (B, 3 width + 2, h, w)."""
        pair = torch.cat((image, reference), 1) * image.new_tensor(STD).repeat(2).view(6, 1, 1)
        return functional.avg_pool2d(self.net.features(functional.avg_pool2d(pair, 2)), 2)

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        return self.flow(self.features(image, reference))

    def scaled(self, image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Return flow and scale map."""
        features = self.features(image, reference)
        return self.flow(features), self.scale(features)

    def flow(self, features: Tensor) -> Tensor:
        """Predict flow from features."""
        return bounded(UNIT * predict(self.net, 2, features), self.limit)
