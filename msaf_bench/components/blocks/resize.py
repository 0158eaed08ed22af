"""Resizing of a map to another grid. Shapes: N maps, C channels, h w and H W grids."""

from torch import Tensor
from torch.nn import functional


def resize(x: Tensor, like: Tensor, *, corners: bool = False) -> Tensor:
    """Resize a map (N, C, h, w) bilinearly to the grid of `like` (..., H, W).

    The outer edges of the border pixels are aligned or, with `corners`, their centres.
    """
    size = (like.shape[-2], like.shape[-1])
    return (
        x
        if x.shape[-2:] == size
        else functional.interpolate(x, size, mode="bilinear", align_corners=corners)
    )
