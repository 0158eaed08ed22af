"""Cost of each operator from shapes: multiply-accumulates (MAC) and elementwise operations.

The two are different units and never added. The arguments of a formula are those of the operator,
with every tensor replaced by its shape, and the shape of the first output. Conventions:
docs/measurement/cost.md.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import torch

aten = torch.ops.aten

Shape = Sequence[int]
Arguments = Sequence[Any]
Formula = Callable[[Arguments, Shape], int]

SOFTMAX = 3  #: operations per element: subtract the maximum and exponentiate, sum, divide


class Product(NamedTuple):
    """Operator that multiplies matrices: formulas of its MACs and its elementwise operations."""

    kind: str  #: name under which it is listed
    macs: Formula
    elementwise: Formula


def _convolution(args: Arguments, out: Shape) -> int:
    return prod(out) * prod(args[1][1:])


def _transposed(args: Arguments, out: Shape) -> int:
    return prod(args[0]) * prod(args[1][1:])


def _either_convolution(args: Arguments, out: Shape) -> int:
    return (_transposed if args[6] else _convolution)(args, out)


def _contracted(args: Arguments, out: Shape) -> int:
    return prod(out) * args[0][-1]


def _contracted_and_added(args: Arguments, out: Shape) -> int:
    return prod(out) * args[1][-1]


def attention(args: Arguments, out: Shape) -> int:
    """Return the MACs of softmax(QKᵀ)V: query (..., L, E), key (..., S, E), value (..., S, V).

    All pairs count, including masked ones.
    """
    query, key, value = args[:3]
    return prod(out[:-1]) * key[-2] * (query[-1] + value[-1])


def _pairs(args: Arguments, out: Shape) -> int:
    return SOFTMAX * prod(out[:-1]) * args[1][-2]


def _fused_heads(args: Arguments, out: Shape) -> int:
    # nn.MultiheadAttention's fast path on (B, N, D): four projections, QKᵀ and AV.
    b, n, d = args[0]
    return int(b * (4 * n * d**2 + 2 * n**2 * d))


def _fused_layer(args: Arguments, out: Shape) -> int:
    # nn.TransformerEncoderLayer's fast path; argument 14 is the first feed-forward weight (F, D).
    b, n, d = args[0]
    return _fused_heads(args, out) + int(2 * b * n * d * args[14][0])


def einsum(equation: str, operands: Sequence[Shape]) -> int:
    """Return the MACs of an einsum of two operands without "...".

    An index that occurs in one operand only and not in the result is summed first, at no cost.
    """
    left, _, result = equation.replace(" ", "").partition("->")
    first, second = left.split(",")
    sizes = dict(zip(first, operands[0], strict=True)) | dict(zip(second, operands[1], strict=True))
    return prod(
        size
        for index, size in sizes.items()
        if index in result or (index in first and index in second)
    )


def each(operations: int) -> Formula:
    """Return a formula with a fixed number of operations per output element."""
    return lambda _, out: operations * prod(out)


def _read(operations: int) -> Formula:
    return lambda args, _: operations * prod(args[0])


def _bias(position: int) -> Formula:
    return lambda args, out: prod(out) if len(args) > position and args[position] is not None else 0


def _window(args: Arguments, out: Shape) -> int:
    kernel = args[1]
    return prod(out) * (prod(kernel) if len(kernel) > 1 else kernel[0] ** 2)


def _sampled(args: Arguments, out: Shape) -> int:
    interpolation: int = args[2]
    return (4, 0, 16)[interpolation] * prod(out)  # bilinear, nearest, bicubic


#: Operators that PyTorch runs without decomposition: in inference mode, on meta tensors.
PRODUCTS: dict[Any, Product] = {
    **dict.fromkeys(
        (aten.conv1d, aten.conv2d, aten.conv3d), Product("convolution", _convolution, _bias(2))
    ),
    **dict.fromkeys(
        (aten.conv_transpose1d, aten.conv_transpose2d, aten.conv_transpose3d),
        Product("convolution", _transposed, _bias(2)),
    ),
    aten.convolution: Product("convolution", _either_convolution, _bias(2)),
    aten.linear: Product("linear", _contracted, _bias(2)),
    **dict.fromkeys(
        (aten.matmul, aten.mm, aten.bmm, aten.mv, aten.dot, aten.vdot),
        Product("matmul", _contracted, each(0)),
    ),
    **dict.fromkeys(
        (aten.addmm, aten.baddbmm, aten.addmv), Product("matmul", _contracted_and_added, each(1))
    ),
    aten.scaled_dot_product_attention: Product("attention", attention, _pairs),
}

#: Operators that appear only on tensors with data: special kernels of a CPU or of a fast path.
FUSED: dict[Any, Formula] = {
    aten._scaled_dot_product_flash_attention_for_cpu: attention,
    aten._native_multi_head_attention: _fused_heads,
    aten._transformer_encoder_layer_fwd: _fused_layer,
}

_OPERATIONS: dict[int, tuple[str, ...]] = {
    1: ("rsub", "_prelu_kernel", "native_dropout", "floor_divide"),
    2: ("batch_norm", "upsample_linear1d"),
    3: ("softmax", "_softmax", "log_softmax", "_log_softmax"),
    4: ("upsample_bilinear2d", "_upsample_bilinear2d_aa"),
    5: ("layer_norm", "group_norm", "instance_norm"),
    8: ("upsample_trilinear3d",),
    16: ("upsample_bicubic2d", "_upsample_bicubic2d_aa"),
}
_READS: dict[int, tuple[str, ...]] = {
    1: (
        *(
            "sum",
            "mean",
            "amax",
            "amin",
            "max",
            "min",
            "argmax",
            "argmin",
            "cumsum",
            "prod",
            "topk",
        ),
        *("adaptive_avg_pool2d", "adaptive_max_pool2d"),
    ),
    2: ("linalg_vector_norm",),
    3: ("var", "std", "logsumexp"),
}
_WINDOWS = ("avg_pool2d", "max_pool2d", "max_pool2d_with_indices")
#: Operators that only move or fill memory.
_MOVES = (
    *(
        "cat",
        "stack",
        "clone",
        "copy_",
        "_to_copy",
        "repeat",
        "index",
        "index_select",
        "gather",
        "scatter",
        "flip",
        "roll",
    ),
    "constant_pad_nd",
    *(
        "reflection_pad2d",
        "replication_pad2d",
        "im2col",
        "pixel_shuffle",
        "pixel_unshuffle",
        "fill",
        "fill_",
        "zero_",
        "tril",
        "triu",
    ),
    *(
        "upsample_nearest1d",
        "upsample_nearest2d",
        "upsample_nearest3d",
        "_upsample_nearest_exact2d",
        "eye",
        "linspace",
        "scalar_tensor",
    ),
    *(
        "empty",
        "empty_like",
        "empty_strided",
        "zeros",
        "zeros_like",
        "ones",
        "ones_like",
        "full",
        "full_like",
        "arange",
        "new_empty",
    ),
    *("new_zeros", "new_ones", "new_full", "_unsafe_view", "max_unpool2d", "detach_"),
)

ELEMENTWISE: dict[Any, Formula] = {
    **{getattr(aten, name): each(count) for count, names in _OPERATIONS.items() for name in names},
    **{getattr(aten, name): _read(count) for count, names in _READS.items() for name in names},
    **{getattr(aten, name): _window for name in _WINDOWS},
    **{getattr(aten, name): each(0) for name in _MOVES},
    aten.grid_sampler: _sampled,
}

CONVENTION = (
    "operations per output element: 1 sums, products, activations, biases; 2 batch norm; 3 softmax;"
    " 4 bilinear reads; 5 layer norm; k² pooling; per input element: 1 reductions; 0 copies and"
    " views"
)
