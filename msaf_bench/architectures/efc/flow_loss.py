"""Losses of flow without ground truth: photometric error, smoothness and occlusion.

Occlusion follows from the backward flow. Shapes: B batch, C channels, h w grid. Images are in [0,
1], flow is (dx, dy) in pixels of its grid.
"""

import torch
from torch import Tensor
from torch.nn import functional

from msaf_bench.components.whole_batch import mean_of, of_all

#: share of SSIM in the photometric error, beside absolute difference (Godard et al. 2017)
SSIM_SHARE = 0.85
EDGE = 10.0  #: decay of the smoothness loss at edges of the image (Wang et al. 2018)
COVERED = 0.5  #: a pixel that receives less than this share of a pixel is occluded


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of x (B, C, h, w), weighted by a mask (B, 1, h, w) in [0, 1].

    The result is 0 if the mask is 0 everywhere.
    """
    return mean_of((x.mean(1, keepdim=True) * mask).sum(), of_all(mask.sum()).sum())


def photometric(image: Tensor, warped: Tensor) -> Tensor:
    """Return the difference of two images (B, 3, h, w) at each pixel.

    It is 0.85 (1 - SSIM) / 2 over 3x3 windows, plus 0.15 of the absolute difference.
    """
    image, warped = image.float(), warped.float()
    structure = (1 - ssim(image, warped)).clamp(0, 2) / 2
    return SSIM_SHARE * structure + (1 - SSIM_SHARE) * (image - warped).abs()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return structural similarity (Wang et al. 2004) at each pixel.

    Windows are uniform, 3x3, and clipped at the border.
    """

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, cov = (
        mean(a * a) - mean_a**2,
        mean(b * b) - mean_b**2,
        mean(a * b) - mean_a * mean_b,
    )
    c1, c2 = 0.01**2, 0.03**2
    return (
        (2 * mean_a * mean_b + c1)
        * (2 * cov + c2)
        / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    )


def smoothness(flow: Tensor, image: Tensor) -> Tensor:
    """Return the mean change of flow (B, 2, h, w) between neighbouring pixels.

    The change counts less at edges of the image (B, 3, h, w).
    """
    total = flow.new_zeros(())
    for axis in (-2, -1):
        edge = image.diff(dim=axis).abs().mean(1, keepdim=True)
        total = total + (flow.diff(dim=axis).abs() * (-EDGE * edge).exp()).mean()
    return total


def occlusion(back: Tensor) -> Tensor:
    """Return 1 at pixels of this frame that are occluded in the other one, else 0: (B, 1, h, w).

    `back` is flow (B, 2, h, w) from the other frame to this one. Every pixel is moved along the
    flow and split among the four pixels around its end point; a pixel that receives too little is
    occluded.
    """
    b, _, h, w = back.shape
    flow = back.detach().float()
    x = torch.arange(w, device=back.device) + flow[:, 0]
    y = torch.arange(h, device=back.device).view(h, 1) + flow[:, 1]
    left, top = x.floor(), y.floor()
    received = flow.new_zeros(b, h * w)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        share = (1 - (x - column).abs()) * (1 - (y - row).abs())
        inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
        place = row.clamp(0, h - 1) * w + column.clamp(0, w - 1)
        received.scatter_add_(1, place.flatten(1).long(), (share * inside).flatten(1))
    return (received < COVERED).view(b, 1, h, w).to(back.dtype)


def balanced_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return binary cross-entropy with equal weight of both classes."""
    error = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (masked_mean(error, target) + masked_mean(error, 1 - target)) / 2
