"""Mean intersection over union, from one confusion matrix over the whole split. No torch import.

Counts with void are (K+1) x (K+1): rows ground truth, columns prediction, void last. The rules
for void differ only in how they read these counts.

Shapes: K classes, H W label map.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

#: pixels whose ground truth is void: left out, or false positives of the predicted class
Void = Literal["ignore", "penalise"]
Absent = Literal["skip", "zero"]  #: a class without a score: left out of the mean, or counted as 0


class ClassScores(NamedTuple):
    """Scores in percent under rules for void and absent classes; NaN for a zero denominator."""

    iou: NDArray[np.float64]  #: (K,)
    recall: NDArray[np.float64]  #: (K,), share of correctly predicted pixels of each true class
    miou: float
    class_accuracy: float  #: mean recall
    pixel_accuracy: float  #: share of correct pixels among those whose ground truth is not void


def count_ids(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the pairs of ids in two maps (H, W): 256 x 256, rows ground truth, columns prediction.

    Raises `DataError` if the maps differ in size.
    """
    if truth.shape != prediction.shape:
        sizes = [" x ".join(map(str, each.shape)) for each in (prediction, truth)]
        raise DataError(
            f"the prediction is {sizes[0]}, the truth {sizes[1]}; resize the prediction to the"
            " truth"
        )
    # Both ids are packed into 16 bits. This takes one pass and no mask, and void is an ordinary
    # row and column.
    packed = (truth.astype(np.uint16) << 8) | prediction
    return np.bincount(packed.ravel(), minlength=1 << 16).reshape(256, 256)


def confusion_matrix(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Count the pairs of classes in two label maps: K x K, rows ground truth, columns prediction.

    Pixels whose ground truth is void (255) are left out. Raises `DataError` for a label that is
    neither a class nor void, or for maps of different size.
    """
    counts = count_ids(truth, prediction)
    stray = [
        *np.flatnonzero(counts[num_classes:VOID].sum(1)) + num_classes,
        *np.flatnonzero(counts[:, num_classes:].sum(0)) + num_classes,
    ]
    if stray:
        raise DataError(
            f"label {int(stray[0])} is not one of the {num_classes} classes; map the ids before"
            " scoring"
        )
    return counts[:num_classes, :num_classes].astype(np.int64)


def class_scores(
    counts: NDArray[np.int64], *, void: Void = "ignore", absent: Absent = "skip"
) -> ClassScores:
    """Return the scores of counts with void (K+1, K+1) under the given rules.

    Under every rule, a pixel of a true class predicted as void is a miss of that class and a false
    positive of none. A class has no IoU if it occurs neither in the ground truth nor in the
    prediction, and no recall if it does not occur in the ground truth.
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
    """Return the counts (K+1, K+1) of the best constant prediction on the same ground truth.

    It predicts the most frequent true class everywhere.
    """
    truth = counts.sum(1)
    constant = np.zeros_like(counts)
    constant[:, truth[:-1].argmax()] = truth
    return constant


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU of each class of K x K counts in percent (K,).

    NaN for a class that occurs neither in the ground truth nor in the prediction.
    """
    return class_scores(_with_void(confusion)).iou


def miou(confusion: NDArray[np.int64]) -> float:
    """Return the mIoU of K x K counts in percent over the classes that occur; NaN without any."""
    return class_scores(_with_void(confusion)).miou


def best_constant(confusion: NDArray[np.int64]) -> float:
    """Return the mIoU in percent of the best constant prediction on the ground truth of the counts.

    Every class of the ground truth counts; all but the predicted one have IoU 0.
    """
    return class_scores(constant_counts(_with_void(confusion))).miou


def _with_void(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Append an empty row and column of void: (K, K) -> (K+1, K+1)."""
    return np.pad(confusion, (0, 1))


def _share(
    part: NDArray[np.int64] | np.int64, whole: NDArray[np.int64] | np.int64
) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _mean(values: NDArray[np.float64], absent: Absent) -> float:
    if not np.isfinite(values).any():
        return float("nan")
    return float(np.nanmean(values) if absent == "skip" else np.nan_to_num(values).mean())
