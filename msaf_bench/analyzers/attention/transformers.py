"""Three independent MAC counters, run on the transformers used in the networks.

Shapes: clips are (1, 3, d, h, w), with d channels on an h x w grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from msaf_bench.analyzers.attention.complexity import FRAMES, HEADS, MLP_RATIO, TRANSFORMERS
from msaf_bench.analyzers.attention.measurement import Counts
from msaf_bench.analyzers.cost.counters import Count, by_fvcore, by_ptflops, by_torch
from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.components.align import DeformableAlign
from msaf_bench.components.blocks.attention import Block
from msaf_bench.components.motion import DecoupledTransformer, VanillaTransformer

FVCORE_PIXELS = 32 * 32  #: fvcore executes the network while counting; larger clips take too long
FVCORE_WIDTH = 2048
META_BYTES = 2**62  #: limit of a meta tensor: its size is a 64-bit number, allocated or not


def build(name: str, d: int) -> nn.Module:
    """Build one of `TRANSFORMERS` at width d, in evaluation mode.

    The joint one has a single block, the decoupled one uses deformable alignment.
    """

    def block() -> Block:
        return Block(d, heads=HEADS, mlp_ratio=MLP_RATIO)

    if name == "transformer":
        return VanillaTransformer(FRAMES, d, block, layers=1).eval()
    return DecoupledTransformer(FRAMES, d, block, lambda: DeformableAlign(d)).eval()


def count_all(h: int, w: int, d: int) -> dict[str, Counts]:
    """Return the MACs of both transformers by counter.

    torch and ptflops count on meta tensors of any size. fvcore needs tensors with data, so it
    counts only small clips.
    """
    if _too_large(h, w, d):
        counts = dict.fromkeys(
            ("torch", "ptflops"), Counts(None, "too large even for meta tensors")
        )
    else:
        counts = {
            "torch": _both(by_torch, h, w, d, "meta"),
            "ptflops": _both(by_ptflops, h, w, d, "meta"),
        }
    if h * w > FVCORE_PIXELS or d > FVCORE_WIDTH:
        return counts | {
            "fvcore": Counts(
                None,
                f"it executes the network while counting: only up to {FVCORE_PIXELS} pixels and"
                f" width {FVCORE_WIDTH}",
            )
        }
    return counts | {"fvcore": _both(by_fvcore, h, w, d, "cpu")}


def live_bytes(h: int, w: int, d: int) -> dict[str, int | None]:
    """Return the peak bytes of activations in a forward of each transformer.

    None if the size is too large even for meta tensors.
    """
    if _too_large(h, w, d):
        return dict.fromkeys(TRANSFORMERS)
    with torch.device("meta"):
        return {
            name: module_cost(build(name, d), (1, FRAMES, d, h, w)).live_bytes
            for name in TRANSFORMERS
        }


def _too_large(h: int, w: int, d: int) -> bool:
    # The largest tensors are the map of all pairs, the MLP's hidden layer and the DCN's weight.
    return (
        4 * max(HEADS * (FRAMES * h * w) ** 2, FRAMES * MLP_RATIO * h * w * d, 9 * d**2)
        > META_BYTES
    )


def _both(
    counter: Callable[[nn.Module, Tensor], Count], h: int, w: int, d: int, device: str
) -> Counts:
    with torch.device(device):
        found = {
            name: counter(build(name, d), torch.zeros(1, FRAMES, d, h, w)) for name in TRANSFORMERS
        }
    macs = {name: count.macs for name, count in found.items() if count.macs is not None}
    return (
        Counts(macs)
        if len(macs) == len(found)
        else Counts(None, next(count.reason for count in found.values() if count.reason))
    )
