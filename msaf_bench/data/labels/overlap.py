"""Checks that reject ambiguous ids, based on the pixels of two folders. K classes.

The checks of `occurrence` come first. These checks look for void ids at the pixels of a class.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.ids import IdFormat, IdMaps, What, id_table, option_of
from msaf_bench.data.labels.occurrence import (
    check_list,
    check_masks,
    doubt_error,
    shift_error,
    void_ids,
)
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

_SCARCE = 100  #: a class with this many times fewer pixels than a void id counts as missing


class _Side(NamedTuple):
    """One folder, compared with the other."""

    what: What
    void: list[int]  #: ids in use that are void by the class set alone, 255 first
    of_ids: NDArray[np.int64]  #: (256,): pixels per id
    of_classes: NDArray[np.int64]  #: (K+1,): pixels per class, void last
    #: (256, K+1): pixels per id of this folder and class of the other folder
    against: NDArray[np.int64]

    def lacks(self, classes: ClassSet) -> set[int]:
        """Return the classes without pixels.

        For a list without names, also returns classes with less than a hundredth of the pixels of
        255.
        """
        few = self.of_ids[VOID] if VOID in self.void and classes.name.isdecimal() else 0
        counts = self.of_classes[:-1]
        return set(np.flatnonzero((counts == 0) | (_SCARCE * counts < few)).tolist())


def check_meaning(
    joint: NDArray[np.int64], classes: ClassSet, formats: Mapping[What, IdFormat], maps: IdMaps
) -> None:
    """Reject void ids that seem to be a class, and a class list that does not fit.

    Args:
        joint: (256, 256), pixel counts; rows are the ids of the ground truth, columns those of the
            prediction.
        classes: the class set.
        formats: the id format of each folder.
        maps: the ids given by `--map`.

    Raises:
        DataError: naming the option that resolves the ambiguity.
    """
    tables: dict[What, NDArray[np.int16]] = {
        what: id_table(classes, formats[what], maps[what]) for what in formats
    }
    void = {what: void_ids(classes, maps[what], form) for what, form in formats.items()}
    truth = _side("truth", joint, tables, void["truth"], classes)
    prediction = _side("prediction", joint.T, tables, void["prediction"], classes)
    sides = (truth, prediction)
    occurring: dict[What, set[int]] = {
        side.what: set(np.flatnonzero(side.of_classes[:-1]).tolist()) for side in sides
    }
    check_list(occurring, classes, maps, formats)
    check_masks(occurring, {side.what: side.void for side in sides}, classes)
    for side, counts in zip(sides, (joint, joint.T), strict=True):
        _check_shift(side, counts, classes)
    if VOID in truth.void and VOID in prediction.void:
        _check_both(truth, prediction, int(joint[VOID, VOID]), classes)
    for side, other in (sides, sides[::-1]):
        if len(classes.names) == 2:
            _check_two(side, classes)
        for void_id in side.void:
            _check_lacking(side, other, void_id, classes)


def check_raw(
    joint: NDArray[np.int64], classes: ClassSet, formats: Mapping[What, IdFormat], maps: IdMaps
) -> None:
    """Reject a detected raw format if most pixels would be void under it but classes under 0..K-1.

    Pixels of 255 do not count.

    Args:
        joint: the pixel counts, see `check_meaning`.
        classes: the class set.
        formats: the detected id formats, without those given by the user.
        maps: the ids given by `--map`.

    Raises:
        DataError: if a format is rejected.
    """
    counts: dict[What, NDArray[np.int64]] = {"truth": joint.sum(1), "prediction": joint.sum(0)}
    top = len(classes.names) - 1
    for what, form in formats.items():
        of_ids = counts[what].copy()
        of_ids[[VOID, *maps[what]]] = 0
        lost = [i for i in range(top + 1) if of_ids[i] and i not in classes.raw]
        if form == "raw" and 2 * of_ids[lost].sum() > of_ids.sum():
            raise DataError(
                f"most pixels of the {what} have ids that are void as raw ids"
                f" ({', '.join(map(str, lost))}), though ids above {top} or names mean raw, not 0"
                f" to {top}; give --{option_of(what)}-ids raw or train"
            )


def _side(
    what: What,
    joint: NDArray[np.int64],
    tables: Mapping[What, NDArray[np.int16]],
    void: Iterable[int],
    classes: ClassSet,
) -> _Side:
    """Return the counts of a folder; rows of `joint` are its ids."""
    table, other_table = tables[what], tables["prediction" if what == "truth" else "truth"]
    count, of_ids = len(classes.names), joint.sum(1)
    against = np.zeros((VOID + 1, count + 1), np.int64)
    for i in np.flatnonzero(joint.sum(0)):
        against[:, other_table[i]] += joint[:, i]
    of_classes = np.zeros(count + 1, np.int64)
    np.add.at(of_classes, table[of_ids > 0], of_ids[of_ids > 0])
    return _Side(what, [i for i in void if of_ids[i]], of_ids, of_classes, against)


def _check_shift(side: _Side, joint: NDArray[np.int64], classes: ClassSet) -> None:
    """Reject ids that seem to be 1..K for the classes, if K is void.

    Almost no pixel is 0, and most pixels of K are K or K-1 in the other folder.
    """
    count = len(classes.names)
    if (
        count in side.void
        and _SCARCE * side.of_ids[0] < side.of_ids[count]
        and int(joint[count].argmax()) in (count, count - 1)
    ):
        raise shift_error(side.what, classes)


def _check_both(truth: _Side, prediction: _Side, both: int, classes: ClassSet) -> None:
    """Reject 255 in both folders if both lack one class.

    If most pixels of 255 coincide, the prediction may lack other classes too.
    """
    where = "prediction and the truth"
    truth_lacks, prediction_lacks = truth.lacks(classes), prediction.lacks(classes)
    shared = truth_lacks & prediction_lacks
    same = 2 * both > min(truth.of_ids[VOID], prediction.of_ids[VOID])
    if len(shared) == 1 and truth_lacks == shared and (prediction_lacks == shared or same):
        why = "both have few or no pixels of it, and both have 255"
        raise doubt_error(where, classes, shared.pop(), why)
    if len(classes.names) == 2 and same:
        for c in range(2):
            if all(side.of_classes[c] < side.of_ids[VOID] for side in (truth, prediction)):
                why = "both have more pixels of 255 than of it, in the same places"
                raise doubt_error(where, classes, c, why)


def _check_two(side: _Side, classes: ClassSet) -> None:
    """Reject masks of two classes with 255 at the pixels of the rarer class.

    255 must have more pixels than that class, and coincide with it in the other folder. They
    coincide if the common pixels are most of the pixels of either, and 255 meets the class more
    often than the other pixels do: void in half of all places is no evidence.
    """
    if VOID not in side.void:
        return
    own, c = side.of_ids[VOID], int(side.of_classes[:2].argmin())
    coinciding, whole = side.against[VOID, c], side.against[:, c].sum()
    elsewhere = (whole - coinciding) / max(side.of_ids.sum() - own, 1)
    if (
        side.of_classes[c] < own
        and 2 * coinciding > min(own, whole)
        and coinciding / own > 1.5 * elsewhere
    ):
        other = "prediction" if side.what == "truth" else "truth"
        why = f"the {side.what} has more of 255 than of it, at pixels where the {other} has it"
        raise doubt_error(side.what, classes, c, why, option_of(side.what))


def _check_lacking(side: _Side, other: _Side, void_id: int, classes: ClassSet) -> None:
    """Reject a void id at the pixels of a class that only the other folder has.

    They coincide if the common pixels are most of the pixels of either. If a list without names
    lacks a single class, it suffices that the void id or the class is the most frequent one at
    those pixels.
    """
    lacks = side.lacks(classes)
    alone = len(lacks) == 1 and classes.name.isdecimal()
    for c in sorted(lacks - other.lacks(classes)):
        coinciding, whole = side.against[void_id, c], side.against[:, c].sum()
        own = side.of_ids[void_id]
        frequent = (
            coinciding > 0
            and alone
            and (side.against[void_id].argmax() == c or side.against[:, c].argmax() == void_id)
        )
        # A class predicted by mistake at a few pixels that happen to be void in the truth is no
        # evidence.
        by_mistake = side.what == "truth" and not (
            side.of_classes[:-1].any() and (alone or 4 * coinciding > own)
        )
        most = 2 * coinciding > own or (2 * coinciding > whole and not by_mistake)
        if frequent or most:
            why = (
                f"the {side.what} has few or no pixels of it, and {void_id} where the"
                f" {other.what} has it"
            )
            raise doubt_error(side.what, classes, c, why, option_of(side.what), void_id)
