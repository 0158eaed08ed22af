"""Warping of a map along flow. Shapes: B batch, C channels, h w grid."""

import torch
from torch import Tensor
from torch.nn import functional

from msaf_bench.components.gauges import gauge
from msaf_bench.errors import one_of

LIMIT = 0.25  #: bound on learned flow, as a share of the map's sides
OUTSIDE = ("zeros", "border")  #: value outside the map: 0, or the nearest pixel


def warp(x: Tensor, flow: Tensor, *, outside: str = "border") -> Tensor:
    """Warp a map (B, C, h, w) backwards along flow (B, 2, h, w): y(p) = x(p + F(p)).

    Flow is (dx, dy) in pixels; x is read bilinearly. Pixel centres are integers, so zero flow
    returns x up to rounding. `outside` is the value outside the map: "zeros", or the pixel at the
    "border".
    """
    one_of("outside", outside, OUTSIDE)
    h, w = x.shape[-2:]
    # half precision cannot separate neighbouring pixels of a large map
    wide = torch.promote_types(x.dtype, torch.float32)
    dx, dy = flow.to(wide).unbind(1)
    column = torch.arange(w, device=x.device, dtype=wide) + dx
    row = torch.arange(h, device=x.device, dtype=wide).view(h, 1) + dy
    gauge("source", lambda: _inside(row, column, h, w), part="warp")
    gauge("flow_rms", lambda: flow.float().square().mean().sqrt(), part="warp")
    # grid_sample puts the centre of pixel i of n at (2i + 1) / n - 1.
    grid = torch.stack(((2 * column + 1) / w - 1, (2 * row + 1) / h - 1), -1)
    return functional.grid_sample(x.to(wide), grid, padding_mode=outside, align_corners=False).to(
        x.dtype
    )


def bounded(flow: Tensor, limit: float = LIMIT) -> Tensor:
    """Clamp learned flow (..., 2, h, w) as (dx, dy) to a share `limit` of the map's sides.

    The bound is at least 1 pixel; a limit of 0 means no bound. Without a bound, samples can leave
    the map. No gradient leads them back, so at a high learning rate flow diverges for good. Flow
    within the bound is unchanged. At the bound, inward gradients pass and outward gradients are set
    to 0.
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
    """Return the share of positions (row, column) that lie on a map of h x w pixels.

    A pixel extends half a pixel around its centre.
    """
    return (
        ((row >= -0.5) & (row <= h - 0.5) & (column >= -0.5) & (column <= w - 0.5)).float().mean()
    )


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize flow (B, 2, h, w) bilinearly to a grid of `size`, and scale it to that grid."""
    h, w = flow.shape[-2:]
    ratio = flow.new_tensor((size[1] / w, size[0] / h)).view(1, 2, 1, 1)
    return functional.interpolate(flow, size, mode="bilinear") * ratio if (h, w) != size else flow
