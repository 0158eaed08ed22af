"""Mean intersection over union: one confusion matrix over the whole split. Shapes: K classes, H W label map. No torch here."""

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError
from msaf_bench.spec import VOID


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
