"""Attention of each pixel to a window around its place in past frames (Paul et al., IROS 2021).

Shapes: B batch, T past frames, C channels of a key, V of a value, h w grid; a band is q rows of queries and the n rows of all frames that
their windows touch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

TILE = 4  #: side of the squares of queries that share a product: wider ones multiply more that no window holds, narrower ones are slow


def local_attention(query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], *, window: int) -> Tensor:
    """What each pixel of the query reads of the memory: (B, C, h, w), T times (B, C, h, w) and T times (B, V, h, w) -> (B, V, h, w).

    One softmax of raw dot products over the window x window places around the pixel in all T frames. A place outside the image takes part
    with logit 0 and value 0. A tile of queries is multiplied with all that its windows touch; what a query's own does not hold is masked.
    """
    h, w = query.shape[-2:]
    radius = window // 2
    down, across = (torch.arange(n, device=query.device) for n in (h, w))
    rows, columns = _far(down, down, radius), _far(across, across, radius)
    outside = len(keys) * (window**2 - (~columns).sum(1)[:, None] * (~rows).sum(1))  # (w, h)
    places = torch.arange(TILE + 2 * radius, device=query.device)
    tile = _far(places[radius : radius + TILE], places, radius)
    bands = list[Tensor]()
    for y in range(0, h, TILE):
        own, seen = slice(y, y + TILE), slice(max(0, y - radius), y + TILE + radius)
        far = rows[own, seen].repeat(1, len(keys))
        mask = (tile[:, None, :, None] | far[:, None]).flatten(2).flatten(0, 1)
        at_zero = outside[:, own].flatten()[:, None].expand(len(query), -1, 1).to(query.dtype).log()
        band = _read(_columns([query], own), _columns(keys, seen), _columns(values, seen), mask, at_zero, far.shape, radius)
        bands.append(band.unflatten(1, (w, -1)))
    return torch.cat(bands, 2).permute(0, 3, 2, 1)


def _read(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, at_zero: Tensor, sides: Sequence[int], radius: int) -> Tensor:
    """A band: query (B, wq, C), key (B, wn, C), value (B, wn, V), the mask of a tile inside the image -> (B, wq, V).

    `at_zero` (B, wq, 1) is the logit of all places outside together, the logarithm of their number; their value is 0.
    """
    q, n = sides
    w, key = query.shape[1] // q, key.mT
    tiles = list[Tensor]()
    for x in range(0, w, TILE):
        own, seen = slice(x * q, (x + TILE) * q), slice(max(0, x - radius) * n, (x + TILE + radius) * n)
        logits = query[:, own] @ key[..., seen]
        cut = max(0, radius - x) * n
        logits = logits.masked_fill(mask[: logits.shape[1], cut : cut + logits.shape[2]], -torch.inf)
        weights = torch.cat((logits, at_zero[:, own]), 2).softmax(2)[..., :-1]
        tiles.append(weights @ value[:, seen])
    return torch.cat(tiles, 1)


def _far(places: Tensor, others: Tensor, radius: int) -> Tensor:
    """(n,) and (m,) -> (n, m): whether they are farther apart than the radius."""
    return (places[:, None] - others).abs() > radius


def _columns(maps: Sequence[Tensor], rows: slice) -> Tensor:
    """Some rows of T maps (B, C, h, w) as (B, w * T * rows, C): column after column, so that what a tile sees lies in one piece."""
    return torch.stack([m[:, :, rows].permute(0, 3, 2, 1) for m in maps], 2).flatten(1, 3)
