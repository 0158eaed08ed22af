"""Attention of each pixel to a window around its place in past frames (Paul et al., IROS 2021).

Shapes: B batch, T past frames, C channels of a key, V channels of a value, h w grid.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from msaf_bench.components.gauges import gauge

#: side of a square tile of queries that share one product: larger tiles multiply more places beyond
#: the windows, smaller ones are slow
TILE = 4


def local_attention(
    query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], *, window: int
) -> Tensor:
    """Read the memory at each pixel of a query.

    One softmax of raw dot products covers the window x window places around the pixel in all
    T frames. A place outside the image takes part with logit 0 and value 0. A tile of queries is
    multiplied with all places of its windows; a mask removes places outside a query's own window.

    Args:
        query: Query (B, C, h, w).
        keys: T keys (B, C, h, w).
        values: T values (B, V, h, w).
        window: Side of the window; odd.

    Returns:
        Weighted sum of the values (B, V, h, w).
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
    outside = outside.to(query.dtype).log()  # all outside places as one logit
    bands = list[Tensor]()
    for y in range(0, h, TILE):
        own, seen = slice(y, y + TILE), slice(max(0, y - radius), y + TILE + radius)
        q, k, v = _columns([query], own), _columns(keys, seen).mT, _columns(values, seen)
        # rows per column: own rows of one frame, seen rows of all frames
        own_rows, seen_rows = q.shape[1] // w, v.shape[1] // w
        far = rows[own, seen].repeat(1, len(keys))
        # mask of a tile whose windows lie inside the image
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
    """Return the total weight on places inside the image, averaged over a tile's queries.

    The remaining weight is on places outside.
    """
    return weights.sum(2).mean()


def _far(places: Tensor, others: Tensor, radius: int) -> Tensor:
    """Return (n, m) flags: whether places (n,) and (m,) are farther apart than the radius."""
    return (places[:, None] - others).abs() > radius


def _columns(maps: Sequence[Tensor], rows: slice) -> Tensor:
    """Return some rows of T maps (B, C, h, w) as (B, w * T * rows, C), column after column.

    This order makes the input of a tile contiguous.
    """
    return torch.stack([m[:, :, rows].permute(0, 3, 2, 1) for m in maps], 2).flatten(1, 3)
