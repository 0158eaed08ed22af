"""Three independent MAC counters, run on the two transformers that networks are built with. Clips are (1, 3, d, h, w): d width, h w grid."""

import contextlib
import io
import warnings
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench.components.align import DeformableAlign
from msaf_bench.components.motion import DecoupledTransformer, VanillaTransformer

FRAMES = 3
TRANSFORMERS = ("transformer", "d_transformer")
FVCORE_PIXELS = 32 * 32  #: fvcore cannot trace a convolution on meta tensors, so it computes; larger clips take too long
FVCORE_WIDTH = 2048


class Count(NamedTuple):
    """MACs of both transformers by one counter, or why it has none."""

    macs: dict[str, int] | None
    reason: str = ""


def build(name: str, d: int) -> nn.Module:
    """One of `TRANSFORMERS` at width d, ready for inference, on the default device: the joint block has no alignment, the decoupled has DCNs."""
    if name == "transformer":
        return VanillaTransformer(d, FRAMES, layers=1).eval()
    return DecoupledTransformer(d, FRAMES, lambda: DeformableAlign(d)).eval()


def count_all(h: int, w: int, d: int) -> dict[str, Count]:
    """Counts by counter name. Tensors are on meta, hence of any size; fvcore's are real, hence small or skipped."""
    counts = {"torch": _count(_torch, h, w, d, "meta"), "ptflops": _count(_ptflops, h, w, d, "meta")}
    if h * w > FVCORE_PIXELS or d > FVCORE_WIDTH:
        return counts | {"fvcore": Count(None, f"it computes what it counts: only up to {FVCORE_PIXELS} pixels and width {FVCORE_WIDTH}")}
    return counts | {"fvcore": _count(_fvcore, h, w, d, "cpu")}


def _count(counter: Callable[[nn.Module, Tensor], int], h: int, w: int, d: int, device: str) -> Count:
    try:
        with torch.device(device), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Count({name: counter(build(name, d), torch.zeros(1, FRAMES, d, h, w)) for name in TRANSFORMERS})
    except Exception as error:  # noqa: BLE001  (whatever a counter raises, on import too: it is reported and the others go on)
        return Count(None, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")


def _torch(net: nn.Module, clip: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        net(clip)
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition as two


def _fvcore(net: nn.Module, clip: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

    def attention(inputs: list[Any], outputs: list[Any]) -> int:
        query, key, value = (get_shape(x) for x in inputs[:3])
        return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])

    # fvcore has no handle for attention. The DCN's product is a plain matmul, which it knows; what it would add for the bilinear
    # reads, resizing and norms is elementwise, not MACs. A handle that returns 0 is needed: None would leave its own in place.
    elementwise = ("grid_sampler", "upsample_bilinear2d", "layer_norm")
    analysis = FlopCountAnalysis(net, (clip,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle("aten::scaled_dot_product_attention", attention, **{f"aten::{op}": lambda *_: 0 for op in elementwise})
    return int(analysis.total())


def _ptflops(net: nn.Module, clip: Tensor) -> int:
    from ptflops import get_model_complexity_info

    aten = torch.ops.aten
    # On meta, attention is two bmm, which it counts. Biases are left out, as everywhere here.
    without_bias = {
        aten.addmm: lambda inputs, _: prod(inputs[1].shape) * inputs[2].shape[-1],
        aten.convolution: lambda inputs, outputs: prod(inputs[1].shape) * outputs[0].shape[0] * prod(outputs[0].shape[2:]),
    }
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):  # it prints its errors and returns None
        macs, _ = get_model_complexity_info(
            net,
            tuple(clip.shape[1:]),
            backend="aten",
            as_strings=False,
            print_per_layer_stat=False,
            custom_modules_hooks=without_bias,
            input_constructor=lambda _: clip,
        )
    if macs is None:
        raise RuntimeError(said.getvalue().strip().splitlines()[-1])
    return int(macs)
