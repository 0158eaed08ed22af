"""Mean intersection over union: one confusion matrix over the whole split. Shapes: K classes, H W
label map. No torch here.

Counts with void are (K+1) x (K+1), rows truth, columns prediction, void last: every rule about void
is a way to read them.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

#: pixels that are void in the truth: left out, or false positives of the class predicted there
Void = Literal["ignore", "penalise"]
Absent = Literal["skip", "zero"]  #: a class without a score: left out of the mean, or 0 in it


class ClassScores(NamedTuple):
    """Scores of counts under two rules, all in percent; NaN where there is nothing to divide by."""

    iou: NDArray[np.float64]  #: (K,)
    recall: NDArray[np.float64]  #: (K,), share of the pixels of a class that are predicted as it
    miou: float
    class_accuracy: float  #: mean recall
    pixel_accuracy: float  #: of the pixels that are a class in the truth


def count_ids(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Two maps (H, W) of any ids -> 256 x 256 counts, rows truth, columns prediction. Raises
    `DataError` for maps of different size.
    """
    if truth.shape != prediction.shape:
        sizes = [" x ".join(map(str, each.shape)) for each in (prediction, truth)]
        raise DataError(
            f"the prediction is {sizes[0]}, the truth {sizes[1]}; resize the prediction to the"
            " truth"
        )
    # Both ids packed into 16 bits: one pass, no mask, and void is a row and a column like any
    # other.
    packed = (truth.astype(np.uint16) << 8) | prediction
    return np.bincount(packed.ravel(), minlength=1 << 16).reshape(256, 256)


def confusion_matrix(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Label maps of one shape, any void = 255 in the truth left out -> K x K counts, rows truth,
    columns prediction.

    Raises `DataError` for a label that is neither a class nor void, or for maps of different size.
    """
    counts = count_ids(truth, prediction)
    stray = [
        *np.flatnonzero(counts[num_classes:VOID].sum(1)) + num_classes,
        *np.flatnonzero(counts[:, num_classes:].sum(0)) + num_classes,
    ]
    if stray:
        raise DataError(
            f"label {int(stray[0])} is none of the {num_classes} classes; map the ids before"
            " scoring"
        )
    return counts[:num_classes, :num_classes].astype(np.int64)


def class_scores(
    counts: NDArray[np.int64], *, void: Void = "ignore", absent: Absent = "skip"
) -> ClassScores:
    """Return the scores of counts with void (K+1, K+1) under two rules.

    A prediction of void where the truth is a class is a miss of that class and a false positive of
    none, under every rule. A class is without IoU where nothing counts for it in truth and
    prediction, without recall where the truth does not have it.
    """
    hit = np.diagonal(counts)[:-1]
    truth = counts[:-1].sum(1)
    predicted = counts[:-1, :-1].sum(0) if void == "ignore" else counts[:, :-1].sum(0)
    iou, recall = _share(hit, truth + predicted - hit), _share(hit, truth)
    return ClassScores(
        100 * iou,
        100 * recall,
        100 * _mean(iou, absent),
        100 * _mean(recall, absent),
        100 * float(_share(hit.sum(), truth.sum())),
    )


def constant_counts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the counts (K+1, K+1) of the best constant prediction on the same truth: its most
    frequent class everywhere.
    """
    truth = counts.sum(1)
    constant = np.zeros_like(counts)
    constant[:, truth[:-1].argmax()] = truth
    return constant


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU of each class of K x K counts in percent (K,), NaN for a class in neither
    truth nor prediction.
    """
    return class_scores(_with_void(confusion)).iou


def miou(confusion: NDArray[np.int64]) -> float:
    """Return the mIoU of K x K counts in percent over the classes that occur; NaN where none
    does.
    """
    return class_scores(_with_void(confusion)).miou


def best_constant(confusion: NDArray[np.int64]) -> float:
    """Return the mIoU in percent of the best prediction that gives one class to every pixel, on the
    truth of K x K counts.

    Every class of the truth counts: the others have IoU 0.
    """
    return class_scores(constant_counts(_with_void(confusion))).miou


def _with_void(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts with an empty row and column of void: (K, K) -> (K+1, K+1)."""
    return np.pad(confusion, (0, 1))


def _share(
    part: NDArray[np.int64] | np.int64, whole: NDArray[np.int64] | np.int64
) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _mean(values: NDArray[np.float64], absent: Absent) -> float:
    if not np.isfinite(values).any():
        return float("nan")
    return float(np.nanmean(values) if absent == "skip" else np.nan_to_num(values).mean())
