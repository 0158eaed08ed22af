"""PC: a single-frame network trained for perceptual consistency (Zhang et al., WACV 2022).

The paper's title is Perceptual Consistency in Video Segmentation. Shapes: B batch, T frames,
C channels, K classes, H W image, h w grid (1/16), N = h w.
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
    """`SingleFrame`, trained to be consistent between the newest frame and one before it.

    A clip of one frame is trained without this loss.
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
        """Return the loss of `SingleFrame` plus the weighted consistency loss.

        The consistency loss is 1 minus the consistency.
        """
        total = super().loss(out, labels)
        return total + out.aux["consistency"] if "consistency" in out.aux else total


class Perception(nn.Sequential):
    """ResNet-18 up to its second stage, at 1/16: image (N, 3, H, W) -> features (N, 2C, h, w).

    Its weights are fixed.
    """

    def __init__(self, *, width: int = 64, weights: str = "") -> None:
        net = resnet18(width=width, weights=weights)
        pool = nn.AvgPool2d(2, ceil_mode=True)
        super().__init__(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, pool)
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "Perception":
        """Stay in evaluation mode, with the statistics of the original training."""
        return super().train(False)


def perceptual_consistency(
    one: Tensor, other: Tensor, shares: Tensor, other_shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the consistency of each pixel's segmentation in two images: two maps (B, N).

    1 is perfect consistency. A pixel's best match among all pixels of the other image is compared
    with its best match of the same class, both relative to its mean similarity. With one-hot class
    shares this is the published measure. Otherwise a match is weighted by the probability that both
    pixels have the same class.

    Args:
        one: Features of the first image (B, C, N).
        other: Features of the second image (B, C, N).
        shares: Class shares of the first image (B, K, N).
        other_shares: Class shares of the second image (B, K, N).
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
    told = best - mean > 1e-6  # false if all pixels look equal; the measure is then undefined
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
    """Build PC on a backbone and a head.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        corners: Align the corners when logits are enlarged.
        auxiliary: Weight of the auxiliary head; 0 for none.
        consistency: Weight of the consistency loss.
        perception: Width of the network that compares frames.
        weights: Path of its state dict; empty for random weights.
    """
    network = single_frame.parts(make, num_classes, corners=corners, auxiliary=auxiliary)
    return PC(
        perception=Perception(width=perception, weights=weights), consistency=consistency, **network
    )


ARCHITECTURE = Architecture(SLOTS, pc)
