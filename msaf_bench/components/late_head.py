"""PSPNet's head cut one layer earlier. Shapes: N images, d width, K classes, h w grid."""

from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.head import PSPHead
from msaf_bench.ports import Stages


class LatePSPHead(PSPHead):
    """`PSPHead` whose features (N, d, h, w) are those before the ReLU, with which the classifier
    begins: NetWarp blends them there.
    """

    def features(self, stages: Stages) -> Tensor:
        before: nn.Module = self.mix[:2]  # pyright: ignore[reportUnknownVariableType]
        return before(self.pyramid(stages.f5))

    def classify(self, features: Tensor) -> Tensor:
        return super().classify(functional.relu(features))
