"""The loss that every architecture shares."""

from torch import Tensor
from torch.nn import functional

from msaf_bench.components.blocks.resize import resize
from msaf_bench.ports import Output
from msaf_bench.spec import VOID


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Logits (B, K, h, w), labels (B, H, W) with void = 255 -> mean over the labelled pixels (Eq.
    11), 0 where there is none.

    The logits are brought to the labels' size bilinearly.
    """
    total = functional.cross_entropy(
        resize(logits, labels), labels, ignore_index=VOID, reduction="sum"
    )
    return total / (labels != VOID).sum().clamp(min=1)


def supervised(out: Output, labels: Tensor, weight: float = 1.0) -> Tensor:
    """The cross-entropy of the result, and `weight` times that of each mask in `out.aux`."""
    return sum(
        (weight * cross_entropy(mask, labels) for mask in out.aux.values()),
        cross_entropy(out.logits, labels),
    )
