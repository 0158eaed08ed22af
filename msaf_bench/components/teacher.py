"""A larger network that a student learns from. Shapes: N images, C channels of F5, K classes, H W
image, h w grid (1/8).

An architecture asks `active` before it calls a teacher, trains it beside the student by the
cross-entropy of its logits, detaches what it distils, and names its slot in `training_only`.
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
    """PSPNet with the deep stem, PSPNet-101 by default: image (N, 3, H, W) -> pyramid (N, 2C, h, w)
    and logits (N, K, h, w).

    The pyramid is what the head's 3x3 convolution reads. That is linear, so the logits of one of n
    groups of its channels alone, as TDNet distils them, are `classify(n * pyramid)` with the others
    at zero.
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
        # what it teaches carries no noise
        self.head = PSPHead(self.backbone.channels, num_classes, width=head, dropout=0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pyramid = self.head.context(Stages(*self.backbone(image)))
        return pyramid, self.classify(pyramid)

    def classify(self, pyramid: Tensor) -> Tensor:
        """Pyramid (N, 2C, h, w) -> logits (N, K, h, w)."""
        return self.head.classify(self.head.mix(pyramid))
