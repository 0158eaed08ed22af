"""Propagation of past frames' values by attention (TDNet: Hu et al., CVPR 2020).

Shapes: B batch, C channels, k width of keys and queries, d width of values, K classes, h w grid.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.heads import PyramidPooling
from msaf_bench.ports import Stages

GROUPS = 2  #: slices of the pyramid, with two and with four sub-networks; these take them in turn


class QueryKeyValue(NamedTuple):
    """Maps of a past frame on one grid, coarser than the newest frame's."""

    query: Tensor  #: (B, k, h, w)
    key: Tensor  #: (B, k, h, w)
    value: Tensor  #: (B, d, h, w)


class Encoding(nn.Module):
    """Features (B, C, h, w) -> their query, key and value.

    All layers are pointwise, so a crop of the features gives the same crop of the maps.
    """

    def __init__(self, channels: int, *, key_width: int, width: int) -> None:
        super().__init__()
        self.query = _projection(channels, key_width)
        self.key = _projection(channels, key_width)
        self.value = nn.Conv2d(channels, width, 1)

    def forward(self, features: Tensor) -> QueryKeyValue:
        return QueryKeyValue(self.query(features), self.key(features), self.value(features))


class AttentionPropagation(nn.Module):
    """Values (B, d, h', w') of one frame, read by the query (B, k, h, w) of another one.

    softmax(QKᵀ / √k) V and a 1x1 convolution, with dropout after each -> (B, d, h, w).
    """

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        read = functional.scaled_dot_product_attention(
            _tokens(query), _tokens(key), _tokens(value), dropout_p=dropout
        )
        mixed = self.mix(read[:, 0].transpose(1, 2).unflatten(2, query.shape[-2:]))
        return functional.dropout(mixed, self.dropout, self.training)


class PlaneNorm(nn.LayerNorm):
    """Norm of each channel's plane (B, d, h, w), with an affine for each position.

    The affine is stored on a grid of `normalized_shape` and resized bilinearly to other grids, with
    aligned corners.
    """

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        size = (x.shape[-2], x.shape[-1])
        affine = torch.stack((self.weight, self.bias))[None]
        if size != self.normalized_shape:
            affine = functional.interpolate(affine, size, mode="bilinear", align_corners=True)
        return functional.layer_norm(x, size, affine[0, 0], affine[0, 1], self.eps)


class Path(nn.Module):
    """Layers of sub-network `index` behind its backbone.

    It reads F5 of `channels` channels and the maps of `past` frames.
    """

    def __init__(
        self,
        index: int,
        past: int,
        channels: int,
        *,
        head: nn.Module,
        key_width: int,
        width: int,
        dropout: float,
        norm_size: Sequence[int],
    ) -> None:
        super().__init__()
        self.group = index % GROUPS
        self.pyramid = PyramidPooling(channels)
        self.encoding = Encoding(channels, key_width=key_width, width=width)
        self.propagation = nn.ModuleList(
            AttentionPropagation(width, dropout=dropout) for _ in range(past)
        )
        self.norm = PlaneNorm(list(norm_size))
        self.head = head

    def features(self, stages: Stages) -> Tensor:
        """Return this sub-network's slice of the pyramid (B, C, h, w)."""
        return group_of(self.pyramid(stages.f5), self.group, GROUPS)

    def propagate(self, past: Sequence[QueryKeyValue], query: Tensor) -> Tensor:
        """Return the values passed to the newest frame by the past ones, (B, d, h, w).

        `past` is oldest first; `query` (B, k, h, w) is that of the newest frame. Each past frame
        passes on its own values plus the values passed to it.
        """
        readers = [*(frame.query for frame in past[1:]), query]
        handed = None
        for attend, frame, reader in zip(self.propagation, past, readers, strict=True):
            handed = attend(
                reader, frame.key, frame.value if handed is None else frame.value + handed
            )
        return handed  # pyright: ignore[reportReturnType]

    def classify(self, value: Tensor) -> Tensor:
        """Return logits (B, K, h, w) for values (B, d, h, w)."""
        x = self.norm(value)
        return self.head(Stages(x, x, x))


def group_of(pyramid: Tensor, index: int, groups: int) -> Tensor:
    """Return slice `index` of a pyramid's channels, (N, 2C, ...) -> (N, 2C / groups, ...).

    The slice contains a part of the C features and of each of the four means.
    """
    c = pyramid.shape[1] // 2
    parts = pyramid[:, :c], *pyramid[:, c:].chunk(4, 1)
    return torch.cat([part.chunk(groups, 1)[index] for part in parts], 1)


def group_alone(pyramid: Tensor, index: int, groups: int) -> Tensor:
    """Return a pyramid (N, 2C, h, w) with one slice multiplied by `groups` and all others 0."""
    channels = torch.arange(pyramid.shape[1], device=pyramid.device)
    kept = group_of(channels[None], index, groups)[0]
    return pyramid * pyramid.new_zeros(pyramid.shape[1]).index_fill(0, kept, groups).view(-1, 1, 1)


def _projection(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(),
        nn.Conv2d(width, width, 1),
    )


def _tokens(x: Tensor) -> Tensor:
    """Reshape (B, C, h, w) to (B, 1, h * w, C), with one head."""
    return x.flatten(2).transpose(1, 2)[:, None]
