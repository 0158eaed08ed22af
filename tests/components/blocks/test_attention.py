import math

import pytest
import torch

from msaf_bench.components.blocks import attention
from msaf_bench.components.blocks.attention import Attention, Block, sine_position
from msaf_bench.errors import UsageError


def slow_attention(module, x):
    """Softmax(q k / sqrt(d)) v, head by head and token by token."""
    n, length, width = x.shape
    d = width // module.heads
    q, k, v = (module.qkv(x)[..., i * width : (i + 1) * width] for i in range(3))
    out = torch.zeros_like(x)
    for s in range(n):
        for head in range(module.heads):
            part = slice(head * d, (head + 1) * d)
            for i in range(length):
                score = torch.stack(
                    [q[s, i, part] @ k[s, j, part] / math.sqrt(d) for j in range(length)]
                ).softmax(0)
                out[s, i, part] = sum(score[j] * v[s, j, part] for j in range(length))
    return module.out(out)


def test_attention_is_the_definition():
    torch.manual_seed(0)
    module = Attention(12, heads=3).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(module(x), slow_attention(module, x))


def test_many_sequences_are_cut_into_pieces_without_a_trace(monkeypatch):
    torch.manual_seed(0)
    module = Attention(8, heads=2)
    x = torch.randn(7, 3, 8)
    whole = module(x)
    monkeypatch.setattr(attention, "MAX_SEQUENCES", 3)
    torch.testing.assert_close(module(x), whole)


def test_a_block_is_eq_3():
    torch.manual_seed(0)
    block = Block(8, heads=2, mlp_ratio=4).double()
    x = torch.randn(1, 4, 8, dtype=torch.float64)
    x1 = block.attention(block.norm1(x)) + x
    torch.testing.assert_close(block(x), block.mlp(block.norm2(x1)) + x1)


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="divide"):
        Attention(10, heads=4)


def test_the_sine_code_tells_places_apart():
    code = sine_position(torch.zeros(8, 5, 7)).flatten(1).T
    assert torch.cdist(code, code).add(10 * torch.eye(35)).min() > 0.05
    with pytest.raises(UsageError, match="divisible by 4"):
        sine_position(torch.zeros(6, 2, 2))
