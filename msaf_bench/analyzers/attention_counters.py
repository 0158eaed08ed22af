"""Three independent MAC counters, run on the transformers that networks are built with. Clips are (1, 3, d, h, w): d width, h w grid."""

import contextlib
import io
import warnings
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench.analyzers.attention_cost import FRAMES, HEADS, MLP_RATIO
from msaf_bench.components.align import DeformableAlign
from msaf_bench.components.attention import Block
from msaf_bench.components.motion import DecoupledTransformer, VanillaTransformer

TRANSFORMERS = ("transformer", "d_transformer")
FVCORE_PIXELS = 32 * 32  #: fvcore cannot trace a convolution on meta tensors, so it computes; larger clips take too long
FVCORE_WIDTH = 2048
META_BYTES = 2**62  #: a tensor's size is a 64-bit number even where nothing is allocated


class Count(NamedTuple):
    """MACs of both transformers by one counter, or the reason why it has none."""

    macs: dict[str, int] | None
    reason: str = ""


def build(name: str, d: int) -> nn.Module:
    """One of `TRANSFORMERS` at width d, for inference: one joint block, or the decoupled one with deformable alignment."""

    def block() -> Block:
        return Block(d, heads=HEADS, mlp_ratio=MLP_RATIO)

    if name == "transformer":
        return VanillaTransformer(FRAMES, block, layers=1).eval()
    return DecoupledTransformer(FRAMES, block, lambda: DeformableAlign(d)).eval()


def count_all(h: int, w: int, d: int) -> dict[str, Count]:
    """Counts by counter name: torch's and ptflops' on meta tensors, fvcore's on real ones, hence of small clips alone."""
    # The largest tensors: the map of all pairs, the MLP's hidden layer and the DCN's weight.
    if 4 * max(HEADS * (FRAMES * h * w) ** 2, FRAMES * MLP_RATIO * h * w * d, 9 * d**2) > META_BYTES:
        counts = dict.fromkeys(("torch", "ptflops"), Count(None, "too large even for tensors without content"))
    else:
        counts = {"torch": Count(_both(_torch, h, w, d, "meta")), "ptflops": _foreign(_ptflops, h, w, d, "meta")}
    if h * w > FVCORE_PIXELS or d > FVCORE_WIDTH:
        return counts | {"fvcore": Count(None, f"it computes what it counts: only up to {FVCORE_PIXELS} pixels and width {FVCORE_WIDTH}")}
    return counts | {"fvcore": _foreign(_fvcore, h, w, d, "cpu")}


def _both(counter: Callable[[nn.Module, Tensor], int], h: int, w: int, d: int, device: str) -> dict[str, int]:
    with torch.device(device), torch.no_grad():
        return {name: counter(build(name, d), torch.zeros(1, FRAMES, d, h, w)) for name in TRANSFORMERS}


def _foreign(counter: Callable[[nn.Module, Tensor], int], h: int, w: int, d: int, device: str) -> Count:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Count(_both(counter, h, w, d, device))
    except Exception as error:  # noqa: BLE001  (ptflops raises RuntimeError where torchvision is broken)
        return Count(None, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")


def _torch(net: nn.Module, clip: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        net(clip)
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition as two


def _fvcore(net: nn.Module, clip: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

    def attention(inputs: list[Any], _: list[Any]) -> int:
        query, key, value = (get_shape(x) or [] for x in inputs[:3])
        return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])

    def nothing(*_: list[Any]) -> int:
        return 0

    # fvcore has no handle for attention. The DCN's product is a plain matmul, which it knows; what it would add for the bilinear
    # reads, resizing and norms is elementwise, not MACs. A handle that returns 0 is needed: None would leave its own in place.
    handles: dict[str, Any] = dict.fromkeys(("aten::grid_sampler", "aten::upsample_bilinear2d", "aten::layer_norm"), nothing)
    handles["aten::scaled_dot_product_attention"] = attention
    analysis = FlopCountAnalysis(net, (clip,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(analysis.set_op_handle(**handles).total())


def _ptflops(net: nn.Module, clip: Tensor) -> int:
    from ptflops import get_model_complexity_info  # pyright: ignore[reportUnknownVariableType]

    aten = torch.ops.aten
    # On meta, attention is two bmm, which it counts. Biases are left out, as everywhere here.
    without_bias: dict[Any, Callable[[Any, Any], int]] = {
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
        )
    if macs is None:
        raise RuntimeError(said.getvalue().strip().splitlines()[-1])
    return int(macs)
