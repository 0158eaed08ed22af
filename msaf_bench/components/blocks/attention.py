"""Transformer block of all parts of MSAF. Shapes: N sequences, L tokens, d width."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.errors import UsageError, one_of

# CUDA's fused kernels map sequences to a grid axis with a limit of 65,535.
MAX_SEQUENCES = 2**15


class Attention(nn.Module):
    """Multi-head self-attention: (N, L, d) -> (N, L, d) (Vaswani et al. 2017).

    Uses `scaled_dot_product_attention`.
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise UsageError(f"heads = {heads} does not divide the width {width}; choose a divisor")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        # 3, N, heads, L, d/heads
        qkv = self.qkv(x).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        parts = [
            functional.scaled_dot_product_attention(*part) for part in qkv.split(MAX_SEQUENCES, 1)
        ]
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts)
        return self.out(mixed.transpose(1, 2).reshape(n, length, width))

    def weight_on(self, x: Tensor, first: int) -> Tensor:
        """Return the attention weight of the queries from `first` on the keys before it.

        Tokens are (N, L, d); the weight is averaged over all these queries.
        """
        n, length, width = x.shape
        q, k, _ = (
            self.qkv(x).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        weights = (q[:, :, first:] @ k.mT / (width // self.heads) ** 0.5).softmax(-1)
        return weights[..., :first].sum(-1).mean()


class Block(nn.Module):
    """Pre-norm transformer block: (N, L, d) -> (N, L, d) (Eq. 3).

    X' = Attention(LN(X)) + X, then MLP(LN(X')) + X'. The block starts close to the identity:
    weights have a standard deviation of 0.02 and biases are 0, as in ViT.
    """

    def __init__(self, width: int, *, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads=heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width)
        )
        for layer in (self.attention.qkv, self.attention.out, self.mlp[0], self.mlp[2]):
            nn.init.trunc_normal_(layer.weight, std=0.02)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self.norm1(x)) + x
        return self.mlp(self.norm2(x)) + x

    def weight_on(self, x: Tensor, first: int) -> Tensor:
        """Return the mean attention weight of tokens from `first` on the tokens before it.

        Tokens are (N, L, d).
        """
        return self.attention.weight_on(self.norm1(x), first)


def no_position(x: Tensor) -> Tensor:
    """Return the map (..., d, h, w) unchanged."""
    return x


def sine_position(x: Tensor) -> Tensor:
    """Add the fixed 2-D sine code to a map (..., d, h, w).

    Half of the channels encode the row, half the column.
    """
    width, h, w = x.shape[-3:]
    if width % 4:
        raise UsageError(f"position = 'sine' needs a width divisible by 4, not {width}")
    wide = torch.promote_types(x.dtype, torch.float32)
    rate = 10_000.0 ** (-torch.arange(width // 4, device=x.device, dtype=wide) * 4 / width)
    row = torch.arange(h, device=x.device, dtype=wide)[None, :, None] * rate[:, None, None]
    column = torch.arange(w, device=x.device, dtype=wide)[None, None, :] * rate[:, None, None]
    waves = [f(angle).expand(-1, h, w) for angle in (row, column) for f in (torch.sin, torch.cos)]
    return x + torch.cat(waves).to(x.dtype)


POSITIONS = {"none": no_position, "sine": sine_position}


def position_code(name: str):
    """Return the positional code of that name. Raises `UsageError` if it is unknown."""
    return POSITIONS[one_of("position", name, POSITIONS)]
