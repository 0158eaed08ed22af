"""Alignment of a past frame's features: deformable convolution in plain torch. Shapes: B batch, C channels, h w grid, K kernel size."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.errors import UsageError


def deformable_conv2d(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """Deformable convolution v1, stride 1, same size, no bias: Y(p) = sum_k w_k X(p + p_k + dp_k) (Eq. 5).

    x (B, C, h, w); offset (B, 2K², h, w), for each kernel point its (dy, dx) in pixels; weight (D, C, K, K) -> (B, D, h, w).
    X is read bilinearly and is 0 outside the map, as in torchvision's `deform_conv2d`.
    """
    b, c, h, w = x.shape
    k = weight.shape[-1]
    # Half precision cannot tell neighbouring pixels of a large map apart: places are float32 at least, also under autocast.
    wide = torch.promote_types(x.dtype, torch.float32)
    reach = torch.arange(k, device=x.device, dtype=wide) - (k - 1) / 2
    dy, dx = offset.to(wide).view(b, k * k, 2, h, w).unbind(2)
    row = torch.arange(h, device=x.device, dtype=wide).view(h, 1) + reach.repeat_interleave(k).view(-1, 1, 1) + dy
    column = torch.arange(w, device=x.device, dtype=wide) + reach.repeat(k).view(-1, 1, 1) + dx
    # grid_sample's own coordinates run over the map with pixel i of n at (2i + 1) / n - 1.
    grid = torch.stack(((2 * column + 1) / w - 1, (2 * row + 1) / h - 1), -1)  # B, K², h, w, 2
    taps = functional.grid_sample(x.to(wide), grid.view(b, k * k * h, w, 2), align_corners=False)
    taps = taps.to(x.dtype).view(b, c * k * k, h * w)
    return (weight.reshape(weight.shape[0], -1) @ taps).view(b, -1, h, w)


class DeformableAlign(nn.Module):
    """DCN (Dai et al. 2017) with offsets from a convolution on the same features, zero at the start: (B, d, h, w) -> the same."""

    def __init__(self, width: int, *, kernel: int = 3) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise UsageError(f"kernel = {kernel} has no centre; choose an odd number")
        self.offset = nn.Conv2d(width, 2 * kernel**2, kernel, padding=kernel // 2)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # pyright: ignore[reportArgumentType]
        self.weight = nn.Parameter(torch.empty(width, width, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, frame: Tensor) -> Tensor:
        return deformable_conv2d(frame, self.offset(frame), self.weight)


class NoAlign(nn.Module):
    """The past frame as it is ("w/o DCN")."""

    def forward(self, frame: Tensor) -> Tensor:
        return frame
