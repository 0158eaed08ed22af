"""Alignment of a past frame's features: deformable convolution in plain torch.

Shapes: B batch, C channels, h w grid, K kernel size.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Align
from msaf_bench.errors import UsageError, one_of

#: value outside the map: 0, or the nearest cell
BORDERS = {"zeros": "zeros", "nearest": "border"}
READS = ("past", "both")  #: frames that predict the offsets
STARTS = ("kaiming", "identity")


def deformable_conv2d(
    x: Tensor, offset: Tensor, weight: Tensor, *, border: str = "zeros"
) -> Tensor:
    """Apply a deformable convolution v1 (Eq. 5): stride 1, same size, no bias.

    Computes Y(p) = sum_k w_k X(p + p_k + dp_k) and reads X bilinearly.

    Args:
        x: Features X (B, C, h, w).
        offset: Offsets (B, 2K², h, w): (dy, dx) in pixels for each kernel point.
        weight: Weights (D, C, K, K).
        border: Value of X outside the map: "zeros", as in torchvision's `deform_conv2d`, or
            "nearest", the nearest cell.

    Returns:
        Features Y (B, D, h, w).
    """
    b, c, h, w = x.shape
    k = weight.shape[-1]
    # Half precision cannot separate neighbouring pixels of a large map, so positions are at least
    # float32, also under autocast.
    wide = torch.promote_types(x.dtype, torch.float32)
    row, column = _taps(offset.to(wide), k)
    # grid_sample puts the centre of pixel i of n at (2i + 1) / n - 1.
    grid = torch.stack(((2 * column + 1) / w - 1, (2 * row + 1) / h - 1), -1)  # B, K², h, w, 2
    places = grid.view(b, k * k * h, w, 2)
    taps = functional.grid_sample(
        x.to(wide),
        places,
        padding_mode=BORDERS[one_of("border", border, BORDERS)],
        align_corners=False,
    )
    taps = taps.to(x.dtype).view(b, c * k * k, h * w)
    return (weight.reshape(weight.shape[0], -1) @ taps).view(b, -1, h, w)


def inside(offset: Tensor, kernel: int) -> Tensor:
    """Return the share of taps that lie on the map, for offsets (B, 2K², h, w) in cells.

    A tap up to K // 2 cells outside the map counts as inside, because the regular kernel also reads
    there.
    """
    h, w = offset.shape[-2:]
    row, column = _taps(offset, kernel)
    edge = kernel // 2
    return (
        ((row >= -edge) & (row <= h - 1 + edge) & (column >= -edge) & (column <= w - 1 + edge))
        .float()
        .mean()
    )


def _taps(offset: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Return the row and column of each tap, (B, K², h, w) each, for offsets (B, 2K², h, w)."""
    b, _, h, w = offset.shape
    arange = partial(torch.arange, device=offset.device, dtype=offset.dtype)
    reach = arange(kernel) - (kernel - 1) / 2
    dy, dx = offset.view(b, kernel**2, 2, h, w).unbind(2)
    row = arange(h).view(h, 1) + reach.repeat_interleave(kernel).view(-1, 1, 1) + dy
    return row, arange(w) + reach.repeat(kernel).view(-1, 1, 1) + dx


class DeformableAlign(Align):
    """DCN (Dai et al. 2017): aligns a past frame with the newest one by learned offsets.

    Past and newest frame (B, d, h, w) -> past (B, d, h, w). Offsets are zero at the start.

    Args:
        width: Number of channels d.
        kernel: Side of the kernel; odd.
        reads: Input of the offsets: the "past" frame alone (Eq. 5 read literally), or "both"
            frames.
        norm: Normalise the input of the offsets (group norm with one group), so that their size
            does not depend on the scale of the features.
        reach: Bound on each offset as a share r of the map's shorter side, by r * tanh(offset / r);
            0 for no bound. At 0.25 an offset cannot move more than about a quarter of the taps off
            the map, at any learning rate.
        rate: Factor of the predicted offsets. Under AdamW it sets their learning rate relative to
            all other weights.
        start: Initial weights of the kernel: "kaiming", or "identity", which returns the past frame
            unchanged.
        border: Value outside the map: "zeros", or the "nearest" cell.

    Raises:
        UsageError: `kernel` is even, a number is out of range, or a choice is unknown.
    """

    def __init__(
        self,
        width: int,
        *,
        kernel: int = 3,
        reads: str = "past",
        norm: bool = False,
        reach: float = 0.0,
        rate: float = 1.0,
        start: str = "kaiming",
        border: str = "zeros",
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise UsageError(f"kernel = {kernel} has no centre; choose an odd number")
        if reach < 0 or rate <= 0:
            raise UsageError(
                f"reach = {reach:g}, rate = {rate:g}; give a reach of at least 0 and a rate above 0"
            )
        self.both = one_of("reads", reads, READS) == "both"
        self.border = one_of("border", border, BORDERS)
        self.reach, self.rate = reach, rate
        channels = 2 * width if self.both else width
        self.norm = nn.GroupNorm(1, channels) if norm else nn.Identity()
        self.offset = nn.Conv2d(channels, 2 * kernel**2, kernel, padding=kernel // 2)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # pyright: ignore[reportArgumentType]
        self.weight = nn.Parameter(torch.zeros(width, width, kernel, kernel))
        if one_of("start", start, STARTS) == "identity":
            nn.init.eye_(self.weight.data[:, :, kernel // 2, kernel // 2])
        else:
            nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def offsets(self, past: Tensor, newest: Tensor) -> Tensor:
        """Return offsets (B, 2K², h, w) in cells for the past and newest frame (B, d, h, w)."""
        offset = self.rate * self.offset(
            self.norm(torch.cat((past, newest), 1) if self.both else past)
        )
        cells = self.reach * min(past.shape[-2:])
        return cells * torch.tanh(offset / cells) if cells else offset

    def forward(self, past: Tensor, newest: Tensor) -> Tensor:
        offset = self.offsets(past, newest)
        gauge("offset_rms", lambda: offset.float().square().mean().sqrt())
        gauge("inside", lambda: inside(offset.float(), self.weight.shape[-1]))
        if self.reach:
            bound = 0.99 * self.reach * min(past.shape[-2:])
            gauge("at_bound", lambda: (offset.abs() > bound).float().mean())
        return deformable_conv2d(past, offset, self.weight, border=self.border)


class NoAlign(Align):
    """No alignment: returns the past frame unchanged ("w/o DCN")."""

    idle = True

    def forward(self, past: Tensor, newest: Tensor) -> Tensor:
        return past
