"""Alignment of a past frame's features: deformable convolution in plain torch. Shapes: B batch, C
channels, h w grid, K kernel size.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.components.gauges import gauge
from msaf_bench.components.interfaces import Align
from msaf_bench.errors import UsageError, one_of

#: what is read outside of the map: 0, or its nearest cell
BORDERS = {"zeros": "zeros", "nearest": "border"}
READS = ("past", "both")  #: what the offsets are predicted from
STARTS = ("kaiming", "identity")


def deformable_conv2d(
    x: Tensor, offset: Tensor, weight: Tensor, *, border: str = "zeros"
) -> Tensor:
    """Deformable convolution v1, stride 1, same size, no bias: Y(p) = sum_k w_k X(p + p_k + dp_k)
    (Eq. 5).

    x (B, C, h, w); offset (B, 2K², h, w), for each kernel point its (dy, dx) in pixels; weight (D,
    C, K, K) -> (B, D, h, w). X is read bilinearly. Outside of the map it is 0, as in torchvision's
    `deform_conv2d`, or with border "nearest" its nearest cell.
    """
    b, c, h, w = x.shape
    k = weight.shape[-1]
    # Half precision cannot tell neighbouring pixels of a large map apart: places are float32 at
    # least, also under autocast.
    wide = torch.promote_types(x.dtype, torch.float32)
    row, column = _taps(offset.to(wide), k)
    # grid_sample's own coordinates run over the map with pixel i of n at (2i + 1) / n - 1.
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
    """Offsets (B, 2K², h, w) in cells -> the share of taps whose place lies on the map.

    The regular kernel's own taps past the border do not count against it: a place within K // 2
    cells of the map is inside.
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
    """Offsets (B, 2K², h, w) -> row and column of each tap, (B, K², h, w) each."""
    b, _, h, w = offset.shape
    arange = partial(torch.arange, device=offset.device, dtype=offset.dtype)
    reach = arange(kernel) - (kernel - 1) / 2
    dy, dx = offset.view(b, kernel**2, 2, h, w).unbind(2)
    row = arange(h).view(h, 1) + reach.repeat_interleave(kernel).view(-1, 1, 1) + dy
    return row, arange(w) + reach.repeat(kernel).view(-1, 1, 1) + dx


class DeformableAlign(Align):
    """DCN (Dai et al. 2017) with learned offsets, zero at the start: past and newest frame (B, d,
    h, w) -> past (B, d, h, w).

    Args:
        kernel: odd side of the kernel.
        reads: predict offsets from the "past" frame alone (Eq. 5 read literally), or from "both"
        frames. norm: normalise what the offsets are predicted from (group norm with one group), so
        that their size does not follow that of
            the features.
        reach: bound each offset to this share of the map's shorter side, by r * tanh(offset / r); 0
        leaves them unbounded. At 0.25 an
            offset cannot carry more than about a quarter of the taps off the map, whatever the
            learning rate.
        rate: multiply the offsets' convolution; under AdamW this is its learning rate relative to
        the rest's. start: weights of the kernel at the start, "kaiming" or "identity" (the past
        frame as it is). border: outside of the map read "zeros" or the "nearest" cell.
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
        """Past and newest frame (B, d, h, w) -> offsets (B, 2K², h, w) in cells."""
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
    """The past frame as it is ("w/o DCN")."""

    idle = True

    def forward(self, past: Tensor, newest: Tensor) -> Tensor:
        return past
