"""CUDA's casts to half precision and fused attention, imitated on the meta device.

torch's own autocast does not act on tensors without content.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Variable
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
#: Functions that CUDA autocast runs in half precision (`TO_HALF`) and in fp32 (`TO_FULL`), as far
#: as networks train with them (documentation of `torch.amp`).
TO_HALF = frozenset((
    "__matmul__", "__rmatmul__", "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm",
    "chain_matmul", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "einsum", "linear", "matmul", "mm", "multi_dot", "mv", "prelu",
    "scaled_dot_product_attention",
))  # fmt: skip
TO_FULL = frozenset((
    "__pow__", "__rpow__", "acos", "asin", "binary_cross_entropy_with_logits", "cdist", "cosh",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "cumprod", "cumsum", "dist",
    "exp", "expm1", "group_norm", "kl_div", "l1_loss", "layer_norm", "log", "log10", "log1p",
    "log2", "log_softmax", "mse_loss", "nll_loss", "norm", "normalize", "pow", "prod",
    "reciprocal", "rsqrt", "smooth_l1_loss", "softmax", "softmin", "softplus", "sum", "tan",
))  # fmt: skip


class LikeCuda(TorchFunctionMode):
    """Casts arguments like CUDA autocast, and runs attention without storing an attention map."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self.half = HALF.get(precision)
        self.cast: dict[int, Tensor] = {}  #: weights in half precision, cast once as in autocast

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named: Any = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func is Tensor.backward:
            with self:  # recomputation in the backward pass calls functions too
                return _run_backward(args[0])
        if self.half and name in TO_HALF:
            args, named = tree_map(self._halved, (args, named))
        elif self.half and name in TO_FULL:
            args, named = tree_map(_full, (args, named))
        if func is functional.scaled_dot_product_attention and args[0].ndim == 4:
            return _fused(*args, **named)
        return func(*args, **named)

    def _halved(self, value: object) -> object:
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            return value
        if not (value.is_leaf and value.requires_grad):
            return value.to(self.half)
        return self.cast.setdefault(id(value), value.to(self.half))


def _full(value: object) -> object:
    if isinstance(value, Tensor) and value.dtype in HALF.values():
        return value.float()
    return value


def _run_backward(loss: Tensor) -> None:
    # The mode intercepts `torch.autograd.backward` too, and would be inactive inside it.
    engine: Any = Variable._execution_engine  # pyright: ignore[reportPrivateUsage]
    engine.run_backward(
        (loss,),
        (torch.ones_like(loss),),
        False,
        False,
        (),
        allow_unreachable=True,
        accumulate_grad=True,
    )


def _fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **named: Any,
) -> Tensor:
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, True, dropout_p, is_causal, scale=named.get("scale")
    )[0]
