"""A network's predictions over a split. Shapes: N images, K classes, H W label map."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from msaf_bench.analyzers.miou import confusion_matrix
from msaf_bench.data.clips import Clips
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import DataError

BATCH = 4  #: clips scored together


def score(
    net: Any,
    clips: Clips,
    *,
    device: str = "cpu",
    still: bool = False,
    on_image: Callable[[int, NDArray[np.uint8]], None] = lambda i, m: None,
) -> NDArray[np.int64]:
    """The confusion matrix of each clip's newest frame, (N, K, K), at the label's resolution (logits brought there bilinearly).

    `still` repeats the newest frame in place of its history: what the score loses by it is what the network took from the past.
    `on_image` is given each clip's index and predicted label map. Raises `DataError` for logits that are not
    finite, or of another number of clips or classes.
    """
    net.eval()
    matrices = list[NDArray[np.int64]]()
    with torch.inference_mode():
        for first in range(0, len(clips), BATCH):
            chunk = [clips[i] for i in range(first, min(first + BATCH, len(clips)))]
            frames = normalise(np.stack([clip.frames[[-1] * len(clip.frames)] if still else clip.frames for clip in chunk]))
            logits = net(frames.to(device)).logits
            wanted = len(chunk), len(clips.classes)
            if logits.ndim != 4 or logits.shape[:2] != wanted:
                raise DataError(f"clip {chunk[0].name}: logits of {tuple(logits.shape)}; expected {wanted} and two sides of a picture")
            if not torch.isfinite(logits).all():
                raise DataError(f"the logits of clip {chunk[0].name} or one of the next {len(chunk) - 1} are not finite")
            for i, clip in enumerate(chunk):
                full = functional.interpolate(logits[i : i + 1], clip.label.shape, mode="bilinear")
                predicted = full.argmax(1)[0].to("cpu", torch.uint8).numpy()
                matrices.append(confusion_matrix(clip.label, predicted, len(clips.classes)))
                on_image(first + i, predicted)
    return np.stack(matrices)
