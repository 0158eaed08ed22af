"""Input of a network. Shapes: B batch, T frames, H W image."""

from torch import Tensor

from msaf_bench.errors import UsageError


def newest(clip: Tensor, frames: int) -> Tensor:
    """Return the newest `frames` frames of a clip (B, T, 3, H, W).

    Raises `UsageError` if the clip has fewer.
    """
    if clip.shape[1] < frames:
        raise UsageError(f"this network reads {frames} frames, the clip has {clip.shape[1]}")
    return clip[:, -frames:]
