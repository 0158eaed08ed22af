"""Flow between two frames that needs no training. Shapes: B batch, H W image."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from msaf_bench.data.flow import estimate
from msaf_bench.data.transforms import MEAN, STD


class ZeroFlow(nn.Module):
    """No motion: the reference lies where it is."""

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        return image.new_zeros(image.shape[0], 2, *image.shape[-2:])


class DISFlow(nn.Module):
    """DIS (Kroeger et al. 2016) by OpenCV, on the CPU, without a gradient; at the frames' own size."""

    uncounted = "DIS flow (OpenCV, on the CPU)"  #: what a report of the cost says beside its total

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        if image.is_meta:
            return image.new_empty(image.shape[0], 2, *image.shape[-2:])
        pictures = zip(_pictures(image), _pictures(reference), strict=True)
        flows = [estimate("dis", one, other).forward for one, other in pictures]
        return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2).to(image.device, image.dtype)


def _pictures(frames: Tensor) -> NDArray[np.uint8]:
    """Normalised frames (B, 3, H, W) -> pictures (B, H, W, 3)."""
    mean, deviation = (torch.tensor(v, device=frames.device).view(3, 1, 1) for v in (MEAN, STD))
    grey = (frames.detach().float() * deviation + mean).mul(255).round().clamp(0, 255)
    return grey.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
