"""Teachers: larger networks for the distillation of a student.

Shapes: N images, C channels of F5, K classes, H W image, h w grid (1/8). An architecture calls a
teacher only if it is `active`, trains it beside the student by the cross-entropy of its logits,
detaches the distilled tensors, and names its slot in `training_only`.
"""

from torch import Tensor

from msaf_bench.components.backbones.resnet import resnet10, resnet18, resnet50, resnet101
from msaf_bench.components.heads import PSPHead
from msaf_bench.components.interfaces import Teacher
from msaf_bench.errors import one_of
from msaf_bench.ports import Stages

BACKBONES = {
    "resnet10": resnet10,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet101": resnet101,
}


class NoTeacher(Teacher):
    """No distillation."""

    active = False


class PSPTeacher(Teacher):
    """PSPNet with the deep stem, PSPNet-101 by default.

    Image (N, 3, H, W) -> pyramid (N, 2C, h, w) and logits (N, K, h, w). The pyramid is the input of
    the head's 3x3 convolution, which is linear. The logits of one of n channel groups, which TDNet
    distils, are therefore `classify(n * pyramid)` with all other groups set to zero.
    """

    active = True

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: str = "resnet101",
        dilate: str = "all",
        width: int = 64,
        head: int = 512,
    ) -> None:
        super().__init__()
        self.backbone = BACKBONES[one_of("backbone of a teacher", backbone, BACKBONES)](
            stem="deep", dilate=dilate, width=width
        )
        # no dropout: the targets carry no noise
        self.head = PSPHead(self.backbone.channels, num_classes, width=head, dropout=0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pyramid = self.head.context(Stages(*self.backbone(image)))
        return pyramid, self.classify(pyramid)

    def classify(self, pyramid: Tensor) -> Tensor:
        """Classify a pyramid (N, 2C, h, w); return logits (N, K, h, w)."""
        return self.head.classify(self.head.mix(pyramid))
