"""Three third-party MAC counters, completed for the operators that they miss.

Networks take a single tensor and are in evaluation mode.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from msaf_bench.analyzers.cost.formulas import FUSED, PRODUCTS, Formula, attention, einsum

aten = torch.ops.aten

#: Products missing from the tables of torch and ptflops; some run only on tensors with data.
BLIND: dict[Any, Formula] = {
    op: PRODUCTS[op].macs for op in (aten.mv, aten.dot, aten.vdot, aten.addmv, aten.baddbmm)
} | FUSED


class Count(NamedTuple):
    """MACs by one counter, or the reason why it gives none."""

    macs: int | None
    reason: str = ""


def torch_counter() -> FlopCounterMode:
    """Return a FlopCounterMode completed by formulas for operators missing from its table.

    It counts a multiplication and an addition as two operations.
    """

    def twice(macs: Formula) -> Callable[..., int]:
        def flops(*shapes: Any, out_shape: Any = (), **_: object) -> int:
            several = bool(out_shape) and isinstance(out_shape[0], tuple)
            return 2 * macs(shapes, out_shape[0] if several else out_shape)

        return flops

    missing = {op: twice(macs) for op, macs in BLIND.items() if op not in flop_registry}
    return FlopCounterMode(display=False, custom_mapping=missing)


def by_torch(net: nn.Module, x: Tensor) -> Count:
    """Count with FlopCounterMode of torch, on any device."""
    with torch.no_grad(), torch_counter() as counter:
        net(x)
    return Count(counter.get_total_flops() // 2)


def by_fvcore(net: nn.Module, x: Tensor) -> Count:
    """Count with fvcore, on tensors with data only: it traces, and so executes, the network.

    Unused results are not counted.
    """
    return _guarded(_fvcore, net, x)


def by_ptflops(net: nn.Module, x: Tensor) -> Count:
    """Count with the aten backend of ptflops, which leaves hooks on the network's children."""
    return _guarded(_ptflops, net, x)


def _guarded(counter: Callable[[nn.Module, Tensor], int], net: nn.Module, x: Tensor) -> Count:
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return Count(counter(net, x))
    except ModuleNotFoundError as error:
        return Count(None, f"{(error.name or 'it').partition('.')[0]} is not installed")
    except Exception as error:  # noqa: BLE001
        # ptflops raises RuntimeError if torchvision is broken.
        return Count(None, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")


def _fvcore(net: nn.Module, x: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

    def shapes(values: list[Any]) -> list[Any]:
        return [get_shape(value) for value in values]

    def handle(formula: Formula) -> Callable[[list[Any], list[Any]], int]:
        return lambda inputs, outputs: formula(shapes(inputs), get_shape(outputs[0]) or ())

    def einsum_of_two(inputs: list[Any], _: object) -> int:
        return einsum(inputs[0].toIValue(), shapes(list(inputs[1].node().inputs())))

    def nothing(*_: object) -> int:
        return 0

    # The handle of fvcore for matrix products fails on a vector, and its einsum is rounded to four
    # digits. Its counts for norms, resizing and bilinear reads are elementwise, not MACs. They need
    # a handle that returns 0, as None would keep the default handle.
    elementwise = (
        "batch_norm",
        "group_norm",
        "instance_norm",
        "layer_norm",
        "adaptive_avg_pool2d",
        "grid_sampler",
    )
    silent = (*elementwise, "upsample_nearest2d", "upsample_bilinear2d")
    products = BLIND | {
        aten.matmul: PRODUCTS[aten.matmul].macs,
        aten.scaled_dot_product_attention: attention,
    }
    handles: dict[str, Any] = {
        **{f"aten::{name}": nothing for name in silent},
        **{f"aten::{op.__name__}": handle(formula) for op, formula in products.items()},
        "aten::einsum": einsum_of_two,
    }
    analysis = (
        FlopCountAnalysis(net, (x,))
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
    )
    return int(analysis.set_op_handle(**handles).total())


def _ptflops(net: nn.Module, x: Tensor) -> int:
    from ptflops import get_model_complexity_info  # pyright: ignore[reportUnknownVariableType]

    def given(_: object) -> Any:
        return x

    def hook(formula: Formula) -> Callable[[Any, Any], int]:
        return lambda inputs, outputs: formula(
            [getattr(i, "shape", i) for i in inputs], outputs[0].shape
        )

    # On meta tensors, attention is two bmm, which ptflops counts. Biases are not counted, as in
    # the formulas.
    without_bias: dict[Any, Callable[[Any, Any], int]] = {
        aten.addmm: lambda inputs, _: prod(inputs[1].shape) * inputs[2].shape[-1],
        aten.convolution: hook(PRODUCTS[aten.convolution].macs),
    }
    said = io.StringIO()
    # on an error, ptflops prints a message and returns None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        macs, _ = get_model_complexity_info(
            net,
            tuple(x.shape[1:]),
            input_constructor=given,
            backend="aten",
            as_strings=False,
            print_per_layer_stat=False,
            custom_modules_hooks={op: hook(formula) for op, formula in BLIND.items()}
            | without_bias,
        )
    if macs is None:
        raise RuntimeError(said.getvalue().strip().splitlines()[-1])
    return int(macs)
