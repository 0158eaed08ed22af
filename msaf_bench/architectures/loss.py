"""The loss that every architecture shares."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor
from torch.nn import functional

from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.whole_batch import labelled, mean_of
from msaf_bench.ports import Output
from msaf_bench.spec import VOID

AUXILIARY_WEIGHT = 0.4  #: of the auxiliary head's loss (Zhao et al. 2017)
AUXILIARY = MappingProxyType({"auxiliary": AUXILIARY_WEIGHT})
EQUAL = MappingProxyType[str, float]({})


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Logits (B, K, h, w), labels (B, H, W) with void = 255 -> mean over the labelled pixels (Eq.
    11), 0 where there is none.

    The logits are brought to the labels' size bilinearly.
    """
    total = functional.cross_entropy(
        resize(logits, labels), labels, ignore_index=VOID, reduction="sum"
    )
    return mean_of(total, labelled(labels))


def supervised(out: Output, labels: Tensor, weights: Mapping[str, float] = EQUAL) -> Tensor:
    """Return the cross-entropy of the result plus that of each mask in `out.aux`, times the weight
    of its name, 1 by default.
    """
    return sum(
        (weights.get(name, 1.0) * cross_entropy(mask, labels) for name, mask in out.aux.items()),
        cross_entropy(out.logits, labels),
    )
