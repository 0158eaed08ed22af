"""Mean intersection over union: one confusion matrix over the whole split. Shapes: N images, K classes, H W label map."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from msaf_bench.data.clips import Clips
from msaf_bench.data.transforms import to_tensors
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

BATCH = 4  #: clips scored together


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int) -> NDArray[np.int64]:
    """Label maps of one shape, any void = 255 in the truth left out -> K x K counts, rows truth, columns prediction.

    Raises `DataError` for a label that is neither a class nor void, or for maps of different size.
    """
    if truth.shape != prediction.shape:
        raise DataError(f"the prediction is {prediction.shape}, the truth {truth.shape}; resize the prediction to the truth")
    # Both ids packed into 16 bits: one pass, no mask, and void is a row of its own.
    packed = (truth.astype(np.uint16) << 8) | prediction
    counts = np.bincount(packed.ravel(), minlength=1 << 16).reshape(256, 256)
    stray = [*np.flatnonzero(counts[num_classes:VOID].sum(1)) + num_classes, *np.flatnonzero(counts[:, num_classes:].sum(0)) + num_classes]
    if stray:
        raise DataError(f"label {int(stray[0])} is none of the {num_classes} classes; map the ids before scoring")
    return counts[:num_classes, :num_classes].astype(np.int64)


def iou_per_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """K x K counts -> the IoU of each class in 0..1, NaN for a class in neither truth nor prediction."""
    hit = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def miou(confusion: NDArray[np.int64]) -> float:
    """K x K counts -> mIoU in percent over the classes that occur; NaN where none does."""
    iou = iou_per_class(confusion)
    return float(100 * np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")


def best_constant(confusion: NDArray[np.int64]) -> float:
    """K x K counts -> the mIoU of the best prediction that gives one class to every pixel of the same split, in percent.

    Every class of the truth counts: the others have IoU 0.
    """
    truth = confusion.sum(1)
    return float(100 * truth.max() / truth.sum() / (truth > 0).sum()) if truth.any() else float("nan")


def score(
    net: Any, clips: Clips, *, device: str = "cpu", on_image: Callable[[int, NDArray[np.uint8]], None] = lambda i, m: None
) -> NDArray[np.int64]:
    """The confusion matrix of each clip's newest frame, (N, K, K), at the label's resolution (logits brought there bilinearly).

    `on_image` is given each clip's index and predicted label map. Raises `DataError` for logits that are not finite.
    """
    net.eval()
    matrices = list[NDArray[np.int64]]()
    with torch.inference_mode():
        for first in range(0, len(clips), BATCH):
            chunk = [clips[i] for i in range(first, min(first + BATCH, len(clips)))]
            frames, _ = to_tensors(chunk)
            logits = net(frames.to(device)).logits
            if not torch.isfinite(logits).all():
                raise DataError(f"the logits of clip {chunk[0].name} or one of the next {len(chunk) - 1} are not finite")
            for i, clip in enumerate(chunk):
                full = functional.interpolate(logits[i : i + 1], clip.label.shape, mode="bilinear")
                predicted = full.argmax(1)[0].to("cpu", torch.uint8).numpy()
                matrices.append(confusion_matrix(clip.label, predicted, len(clips.classes)))
                on_image(first + i, predicted)
    return np.stack(matrices)
