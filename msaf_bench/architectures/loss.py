"""Losses shared by all architectures."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor
from torch.nn import functional

from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.whole_batch import labelled, mean_of
from msaf_bench.ports import Output
from msaf_bench.spec import VOID

AUXILIARY_WEIGHT = 0.4  #: weight of the auxiliary head's loss (Zhao et al. 2017)
AUXILIARY = MappingProxyType({"auxiliary": AUXILIARY_WEIGHT})
EQUAL = MappingProxyType[str, float]({})


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over the labelled pixels (Eq. 11), 0 without any.

    Logits (B, K, h, w) are resized bilinearly to labels (B, H, W) with void = 255.
    """
    total = functional.cross_entropy(
        resize(logits, labels), labels, ignore_index=VOID, reduction="sum"
    )
    return mean_of(total, labelled(labels))


def supervised(out: Output, labels: Tensor, weights: Mapping[str, float] = EQUAL) -> Tensor:
    """Return the cross-entropy of the result plus that of each mask in `out.aux`.

    `weights` maps names of masks to weights; the default weight is 1.
    """
    return sum(
        (weights.get(name, 1.0) * cross_entropy(mask, labels) for name, mask in out.aux.items()),
        cross_entropy(out.logits, labels),
    )
