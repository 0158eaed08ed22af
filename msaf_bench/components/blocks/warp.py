"""Reads a map where flow says. Shapes: B batch, C channels, h w grid."""

import torch
from torch import Tensor
from torch.nn import functional

from msaf_bench.components.gauges import gauge
from msaf_bench.errors import one_of

LIMIT = 0.25  #: of the sides of the map: the most that learned flow moves a sample
OUTSIDE = ("zeros", "border")  #: what is read outside of the map: 0, or its nearest pixel


def warp(x: Tensor, flow: Tensor, *, outside: str = "border") -> Tensor:
    """The map x (B, C, h, w) brought back along flow (B, 2, h, w) in pixels as (dx, dy): y(p) = x(p
    + F(p)), read bilinearly.

    Pixel centres are whole numbers: no flow gives x itself, up to rounding.
    """
    one_of("outside", outside, OUTSIDE)
    h, w = x.shape[-2:]
    # half precision cannot tell neighbouring pixels of a large map apart
    wide = torch.promote_types(x.dtype, torch.float32)
    dx, dy = flow.to(wide).unbind(1)
    column = torch.arange(w, device=x.device, dtype=wide) + dx
    row = torch.arange(h, device=x.device, dtype=wide).view(h, 1) + dy
    gauge("source", lambda: _inside(row, column, h, w), part="warp")
    gauge("flow_rms", lambda: flow.float().square().mean().sqrt(), part="warp")
    # grid_sample's own coordinates run over the map with pixel i of n at (2i + 1) / n - 1.
    grid = torch.stack(((2 * column + 1) / w - 1, (2 * row + 1) / h - 1), -1)
    return functional.grid_sample(x.to(wide), grid, padding_mode=outside, align_corners=False).to(
        x.dtype
    )


def bounded(flow: Tensor, limit: float = LIMIT) -> Tensor:
    """Hold learned flow (..., 2, h, w) as (dx, dy) within the share `limit` of the map's sides, and
    no less than 1 pixel; 0: no limit.

    Beyond, samples would come to lie outside of the map, where no gradient tells them the way back,
    so that at a high learning rate flow runs away for good. Within the limit nothing changes. At it
    a gradient that points back passes, one that points further out does not.
    """
    if not limit:
        return flow
    h, w = flow.shape[-2:]
    most = flow.new_tensor((max(1.0, limit * w), max(1.0, limit * h))).view(2, 1, 1)
    held = flow.clamp(-most, most)
    if not (torch.is_grad_enabled() and flow.requires_grad):
        return held
    beyond = flow.detach() - held.detach()

    def inward(gradient: Tensor) -> Tensor:
        return gradient.masked_fill(gradient * beyond < 0, 0)

    passed = held.detach() + (flow - flow.detach())
    passed.register_hook(inward)
    return passed


def _inside(row: Tensor, column: Tensor, h: int, w: int) -> Tensor:
    """The share of places (row, column) that lie on a map of h x w pixels, each of which reaches
    half a pixel around its centre.
    """
    return (
        ((row >= -0.5) & (row <= h - 0.5) & (column >= -0.5) & (column <= w - 0.5)).float().mean()
    )


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Flow (B, 2, h, w) brought bilinearly to a grid of `size`, and its pixels to that grid's."""
    h, w = flow.shape[-2:]
    ratio = flow.new_tensor((size[1] / w, size[0] / h)).view(1, 2, 1, 1)
    return functional.interpolate(flow, size, mode="bilinear") * ratio if (h, w) != size else flow
