"""PC: a network of one frame, trained by perceptual consistency (Zhang et al., Perceptual
Consistency in Video Segmentation, WACV 2022).

Shapes: B batch, T frames, C channels, K classes, H W image, h w grid (1/16), N = h w.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures import single_frame
from msaf_bench.architectures.loss import AUXILIARY_WEIGHT
from msaf_bench.architectures.single_frame import SingleFrame, neighbours
from msaf_bench.components.backbones.resnet import resnet18
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}


class PC(SingleFrame):
    """`SingleFrame`; in training the newest frame is held to be consistent with one before it,
    unless the clip has none.
    """

    training_only: tuple[str, ...] = ("auxiliary", "perception")

    def __init__(self, *, perception: nn.Module, consistency: float, **network: Any) -> None:
        super().__init__(**network)
        self.perception = perception
        self.consistency = consistency

    def forward(self, clip: Tensor) -> Output:
        if not self.training:
            return super().forward(clip)
        frames = [clip[:, -1], *neighbours(clip, 1)]
        b = clip.shape[0]
        stages = Stages(*self.backbone(torch.cat(frames)))
        logits = self.head(stages)
        aux = self.supervise(Stages(*(f[:b] for f in stages)))
        if len(frames) > 1:
            features = self.perception(torch.cat(frames))
            size = (features.shape[-2], features.shape[-1])
            shares = functional.adaptive_avg_pool2d(logits.softmax(1), size)
            maps = perceptual_consistency(
                *features.flatten(2).split(b), *shares.flatten(2).split(b)
            )
            image = torch.stack([x.mean(1) for x in maps]).amin(0)
            aux["consistency"] = self.consistency * (1 - image.mean())
        return Output(self.enlarge(logits[:b], clip), aux)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """The loss of `SingleFrame`, and what is missing to a consistency of 1, weighted
        already.
        """
        total = super().loss(out, labels)
        return total + out.aux["consistency"] if "consistency" in out.aux else total


class Perception(nn.Sequential):
    """Image (N, 3, H, W) -> features (N, 2C, h, w): ResNet-18 up to its second stage, at 1/16; it
    learns nothing.
    """

    def __init__(self, *, width: int = 64, weights: str = "") -> None:
        net = resnet18(width=width, weights=weights)
        pool = nn.AvgPool2d(2, ceil_mode=True)
        super().__init__(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, pool)
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "Perception":
        """Stays in evaluation mode: its statistics are those that it was trained with."""
        return super().train(False)


def perceptual_consistency(
    one: Tensor, other: Tensor, shares: Tensor, other_shares: Tensor
) -> tuple[Tensor, Tensor]:
    """How consistent the segmentation of each pixel of two images is: two maps (B, N), 1 where it
    is perfectly so.

    From features (B, C, N) and shares of the classes (B, K, N) of both. A pixel's best match among
    all pixels of the other image is compared with its best among those of the same class, by how
    far both are above its mean similarity. With one-hot shares this is the published measure;
    otherwise a match counts by the probability that both pixels are of one class.
    """
    with torch.autocast(one.device.type, enabled=False):
        one, other = (
            functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=1)
            for x in (one, other)
        )
        shares, other_shares = shares.to(one.dtype), other_shares.to(one.dtype)
        similarity = one.transpose(1, 2) @ other
        same = similarity * (shares.transpose(1, 2) @ other_shares)
    return _ratio(same, similarity, 2), _ratio(same, similarity, 1)


def _ratio(same: Tensor, similarity: Tensor, dim: int) -> Tensor:
    mean, best = similarity.mean(dim), similarity.amax(dim)
    told = best - mean > 1e-6  # where all pixels look alike, the measure says nothing
    return torch.where(told, (same.amax(dim) - mean) / torch.where(told, best - mean, 1), 1)


def pc(
    make: Make,
    num_classes: int,
    *,
    corners: bool = True,
    auxiliary: float = AUXILIARY_WEIGHT,
    consistency: float = 0.1,
    perception: int = 64,
    weights: str = "",
) -> PC:
    """PC with the components that `make` gives; `perception` and `weights` are the width and the
    weights of what compares frames.
    """
    network = single_frame.parts(make, num_classes, corners=corners, auxiliary=auxiliary)
    return PC(
        perception=Perception(width=perception, weights=weights), consistency=consistency, **network
    )


ARCHITECTURE = Architecture(SLOTS, pc)
