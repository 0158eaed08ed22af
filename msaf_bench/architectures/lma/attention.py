"""Attention of each pixel to a window around its place in past frames (Paul et al., IROS 2021).

Shapes: B batch, T past frames, C channels of a key, V of a value, h w grid.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from msaf_bench.components.gauges import gauge

#: side of the squares of queries that share a product: wider ones multiply more that no window
#: holds, narrower ones are slow
TILE = 4


def local_attention(
    query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], *, window: int
) -> Tensor:
    """What each pixel of the query reads of the memory: (B, C, h, w), T times (B, C, h, w) and T
    times (B, V, h, w) -> (B, V, h, w).

    One softmax of raw dot products over the window x window places around the pixel in all T
    frames. A place outside the image takes part with logit 0 and value 0. A tile of queries is
    multiplied with all that its windows touch; what a query's own does not hold is masked.
    """
    b, _, h, w = query.shape
    radius = window // 2
    down, across, places = (torch.arange(n, device=query.device) for n in (h, w, TILE + 2 * radius))
    rows, columns, tile = (
        _far(down, down, radius),
        _far(across, across, radius),
        _far(places[radius : radius + TILE], places, radius),
    )
    outside = len(keys) * (window**2 - (~columns).sum(1)[:, None] * (~rows).sum(1))  # (w, h)
    outside = outside.to(query.dtype).log()  # all of them as one logit
    bands = list[Tensor]()
    for y in range(0, h, TILE):
        own, seen = slice(y, y + TILE), slice(max(0, y - radius), y + TILE + radius)
        q, k, v = _columns([query], own), _columns(keys, seen).mT, _columns(values, seen)
        # of one column; what is seen are those of all frames
        own_rows, seen_rows = q.shape[1] // w, v.shape[1] // w
        far = rows[own, seen].repeat(1, len(keys))
        # of a tile whose windows end at no side of the image
        mask = (tile[:, None, :, None] | far[:, None]).flatten(2).flatten(0, 1)
        zero = outside[:, own].flatten()[:, None].expand(b, -1, 1)
        tiles = list[Tensor]()
        for x in range(0, w, TILE):
            mine = slice(x * own_rows, (x + TILE) * own_rows)
            near = slice(max(0, x - radius) * seen_rows, (x + TILE + radius) * seen_rows)
            logits, cut = q[:, mine] @ k[..., near], max(0, radius - x) * seen_rows
            logits = logits.masked_fill(
                mask[: logits.shape[1], cut : cut + logits.shape[2]], -torch.inf
            )
            weights = torch.cat((logits, zero[:, mine]), 2).softmax(2)[..., :-1]
            gauge("past_weight", partial(_mean_weight, weights), part="local_attention")
            tiles.append(weights @ v[:, near])
        bands.append(torch.cat(tiles, 1).view(b, w, own_rows, -1))
    return torch.cat(bands, 2).permute(0, 3, 2, 1)


def _mean_weight(weights: Tensor) -> Tensor:
    """Weights of a tile's queries on the places inside the image -> their sum, mean over the
    queries; the rest is on those outside.
    """
    return weights.sum(2).mean()


def _far(places: Tensor, others: Tensor, radius: int) -> Tensor:
    """(n,) and (m,) -> (n, m): whether they are farther apart than the radius."""
    return (places[:, None] - others).abs() > radius


def _columns(maps: Sequence[Tensor], rows: slice) -> Tensor:
    """Some rows of T maps (B, C, h, w) as (B, w * T * rows, C): column after column, so that what a
    tile sees lies in one piece.
    """
    return torch.stack([m[:, :, rows].permute(0, 3, 2, 1) for m in maps], 2).flatten(1, 3)
