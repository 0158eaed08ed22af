"""Optical flow without training. Shapes: B batch, H W image."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msaf_bench.components.interfaces import Flow
from msaf_bench.data.flow.estimators import DIS_LEAST, dis
from msaf_bench.data.transforms import denormalise
from msaf_bench.errors import UsageError


class ZeroFlow(Flow):
    """No motion: the flow is 0 everywhere."""

    idle = True

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        return image.new_zeros(image.shape[0], 2, *image.shape[-2:])


class DISFlow(Flow):
    """DIS (Kroeger et al. 2016) by OpenCV at full size, on the CPU and without a gradient."""

    uncounted = "DIS flow (OpenCV, on the CPU)"  #: note of a cost report beside its total

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        if min(image.shape[-2:]) < DIS_LEAST:
            raise UsageError(
                f"flow dis: frames of {image.shape[-2]}x{image.shape[-1]} are too small; DIS needs"
                f" at least {DIS_LEAST} rows and columns"
            )
        if image.is_meta:
            return image.new_empty(image.shape[0], 2, *image.shape[-2:])
        flows = [dis(one, other) for one, other in zip(_grey(image), _grey(reference), strict=True)]
        return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2).to(image.device, image.dtype)


def _grey(frames: Tensor) -> list[NDArray[np.uint8]]:
    """Convert normalised frames (B, 3, H, W) to B grey images (H, W)."""
    colours = denormalise(frames.detach()).mul(255).round().clamp(0, 255).to("cpu", torch.uint8)
    return [
        np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        for picture in colours.permute(0, 2, 3, 1).numpy()
    ]
