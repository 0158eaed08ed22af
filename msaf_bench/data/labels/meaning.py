"""What the ids of two folders mean beyond doubt, and what must be said with `--map`. K classes.

255 is void in every set, as in most data sets, and foreground in many masks; a set may have another
void id, a class in other numberings. Whether these can be void is told from all files together.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import CLASS_SETS, ClassSet
from msaf_bench.data.labels.ids import IdFormat, IdMap, What, id_table, option_of
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID

IdMaps = Mapping[What, IdMap]

#: classes from which on a list that stops being used in the middle is taken for the wrong one
_DENSE = 8
_SCARCE = 100  #: times as much of a void id as of a class that is then as good as missing
#: grey levels: the largest id below 255 is more than this, and this many times the number of ids
_GREY_FROM, _GREY_APART = 32, 8


def parse_maps(texts: Iterable[str], classes: ClassSet | None) -> dict[What, dict[int, int]]:
    """What `--map FROM=TO` says: for both folders, or after `pred:` or `truth:` for one; TO is a
    class 0..K-1 or `void`.

    Without a class set (its size is found from the ids) void is 255. Raises `UsageError` for
    anything else, and for an id mapped twice.
    """
    count = len(classes.names) if classes else VOID
    found: dict[What, dict[int, int]] = {"prediction": {}, "truth": {}}
    for text in texts:
        match = re.fullmatch(r"(?:(pred|truth):)?([0-9]{1,3})=([0-9]{1,3}|void)", text.strip())
        own, to = (
            (int(match[2]), count if match[3] == "void" else int(match[3]))
            if match
            else (VOID + 1, 0)
        )
        if not match or own > VOID or (match[3] != "void" and to >= count):
            top = f"0 to {count - 1}" if classes else "a class"
            raise UsageError(
                f"--map {text}: write FROM=TO, as in 255=1, truth:0=void; FROM is an id from 0 to"
                f" {VOID}, TO {top} or void"
            )
        for what, of in found.items():
            if match[1] in (None, option_of(what)) and of.setdefault(own, to) != to:
                raise UsageError(
                    f"--map {text}: id {own} is mapped to something else too; leave one of them"
                )
    return found


class _Side(NamedTuple):
    """One folder, seen against the other."""

    what: What
    void: list[int]  #: ids in use that are void by the class set alone, 255 first
    of_ids: NDArray[np.int64]  #: (256,): pixels of each id
    of_classes: NDArray[np.int64]  #: (K+1,): pixels of each class, void last
    #: (256, K+1): pixels of each id here that are each class in the other folder
    against: NDArray[np.int64]

    def lacks(self, classes: ClassSet) -> set[int]:
        """The classes that are not there; of a list without names also those of less than a
        hundredth of the pixels of 255.
        """
        few = self.of_ids[VOID] if VOID in self.void and classes.name.isdecimal() else 0
        counts = self.of_classes[:-1]
        return set(np.flatnonzero((counts == 0) | (_SCARCE * counts < few)).tolist())


def check_meaning(
    joint: NDArray[np.int64], classes: ClassSet, formats: Mapping[What, IdFormat], maps: IdMaps
) -> None:
    """Refuse ids that would vanish into void although they seem to be a class, and a class list
    that does not fit.

    `joint` (256, 256) are the counts of all pixels, rows the ids of the truth, columns those of the
    prediction. Raises `DataError`.
    """
    tables: dict[What, NDArray[np.int16]] = {
        what: id_table(classes, formats[what], maps[what]) for what in formats
    }
    void = {what: _void_ids(classes, maps[what], form) for what, form in formats.items()}
    truth, prediction = (
        _side("truth", joint, tables, void["truth"], classes),
        _side("prediction", joint.T, tables, void["prediction"], classes),
    )
    sides = (truth, prediction)
    seen: dict[What, set[int]] = {
        side.what: set(np.flatnonzero(side.of_classes[:-1]).tolist()) for side in sides
    }
    check_list(seen, classes, maps, formats)
    check_masks(seen, {side.what: side.void for side in sides}, classes)
    for side, counts in zip(sides, (joint, joint.T), strict=True):
        _check_shift(side, counts, classes)
    if VOID in truth.void and VOID in prediction.void:
        _check_both(truth, prediction, int(joint[VOID, VOID]), classes)
    for side, other in (sides, sides[::-1]):
        if len(classes.names) == 2:
            _check_two(side, classes)
        for void in side.void:
            _check_lacking(side, other, void, classes)


def check_raw(
    joint: NDArray[np.int64], classes: ClassSet, told: Mapping[What, IdFormat], maps: IdMaps
) -> None:
    """Refuse ids that were told to be raw where most pixels, 255 aside, would be void by that and a
    class by 0..K-1. Raises `DataError`.

    `told` are the formats that were not given by the user; `joint` is that of `check_meaning`.
    """
    counts: dict[What, NDArray[np.int64]] = {"truth": joint.sum(1), "prediction": joint.sum(0)}
    for what, form in told.items():
        of, top = counts[what].copy(), len(classes.names) - 1
        of[[VOID, *maps[what]]] = 0
        lost = [i for i in range(top + 1) if of[i] and i not in classes.raw]
        if form == "raw" and 2 * of[lost].sum() > of.sum():
            raise DataError(
                f"most pixels of the {what} have ids that are void as raw ids"
                f" ({', '.join(map(str, lost))}), though ids above {top} or names say raw and not 0"
                f" to {top}; say --{option_of(what)}-ids raw or train"
            )


def _void_ids(classes: ClassSet, mapped: IdMap, form: IdFormat = "train") -> list[int]:
    """The ids that are void by the class set alone, 255 first."""
    return (
        sorted((i for i in classes.void if i not in mapped), reverse=True)
        if form == "train"
        else []
    )


def _side(
    what: What,
    joint: NDArray[np.int64],
    tables: Mapping[What, NDArray[np.int16]],
    void: Iterable[int],
    classes: ClassSet,
) -> _Side:
    own, other = tables[what], tables["prediction" if what == "truth" else "truth"]
    count, of_ids = len(classes.names), joint.sum(1)
    against, of_classes = np.zeros((VOID + 1, count + 1), np.int64), np.zeros(count + 1, np.int64)
    for i in np.flatnonzero(joint.sum(0)):
        against[:, other[i]] += joint[:, i]
    np.add.at(of_classes, own[of_ids > 0], of_ids[of_ids > 0])
    return _Side(what, [i for i in void if of_ids[i]], of_ids, of_classes, against)


def _check_shift(side: _Side, joint: NDArray[np.int64], classes: ClassSet) -> None:
    """Refuse ids 1..K for the classes where K is void: none or next to nothing is 0, and where K
    is, the other folder has K or K-1.
    """
    count = len(classes.names)
    if (
        count in side.void
        and _SCARCE * side.of_ids[0] < side.of_ids[count]
        and int(joint[count].argmax()) in (count, count - 1)
    ):
        raise DataError(_shift(side.what, classes))


def _check_both(truth: _Side, prediction: _Side, both: int, classes: ClassSet) -> None:
    """Refuse 255 in both folders where one class is missing from both: from the prediction others
    too if most of 255 is the same.
    """
    lacks = [side.lacks(classes) for side in (truth, prediction)]
    shared = lacks[0] & lacks[1]
    same = 2 * both > min(truth.of_ids[VOID], prediction.of_ids[VOID])
    if len(shared) == 1 and (lacks[0] == lacks[1] or (lacks[0] == shared and same)):
        raise DataError(
            _doubt(
                "prediction and the truth",
                classes,
                shared.pop(),
                "neither has it, or next to none, and both have 255",
            )
        )
    if len(classes.names) == 2 and same:
        for c in range(2):
            if all(side.of_classes[c] < side.of_ids[VOID] for side in (truth, prediction)):
                why = "both have more of 255 than of it, in the same places"
                raise DataError(_doubt("prediction and the truth", classes, c, why))


def _check_two(side: _Side, classes: ClassSet) -> None:
    """Refuse masks of two classes with more of 255 than of the rarer class, in the places of that
    class in the other folder.

    That is most of the pixels of either, and a larger share of 255 than of the rest: void in half
    of all places is no sign.
    """
    if VOID not in side.void:
        return
    own, c = side.of_ids[VOID], int(side.of_classes[:2].argmin())
    there, all_there = side.against[VOID, c], side.against[:, c].sum()
    elsewhere = (all_there - there) / max(side.of_ids.sum() - own, 1)
    if (
        side.of_classes[c] < own
        and 2 * there > min(own, all_there)
        and there / own > 1.5 * elsewhere
    ):
        other = "prediction" if side.what == "truth" else "truth"
        why = f"the {side.what} has more of 255 than of it, in the places where the {other} has it"
        raise DataError(_doubt(side.what, classes, c, why, option_of(side.what)))


def _check_lacking(side: _Side, other: _Side, void: int, classes: ClassSet) -> None:
    """Refuse a void id in the places of a class that this folder lacks and the other one has.

    That is most of the pixels of either. Where one class of a list without names is missing it is
    enough to be the most frequent there.
    """
    lacks = side.lacks(classes)
    alone = len(lacks) == 1 and classes.name.isdecimal()
    for c in sorted(lacks - other.lacks(classes)):
        overlap, own, whole = side.against[void, c], side.of_ids[void], side.against[:, c].sum()
        # A class that is predicted by mistake, in a few places that happen to be void in the truth,
        # is no sign.
        enough = side.what == "prediction" or (
            side.of_classes[:-1].any() and (alone or 4 * overlap > own)
        )
        frequent = (
            overlap
            and alone
            and (side.against[void].argmax() == c or side.against[:, c].argmax() == void)
        )
        if frequent or 2 * overlap > own or (enough and 2 * overlap > whole):
            why = (
                f"the {side.what} has none of it, or next to none, and {void} where the"
                f" {other.what} has it"
            )
            raise DataError(_doubt(side.what, classes, c, why, option_of(side.what), void))


def check_alone(ids: set[int], classes: ClassSet, maps: IdMaps, what: What) -> None:
    """Refuse the ids of one folder that `check_meaning` refuses whatever the other folder holds.
    Raises `DataError`.
    """
    table, count = id_table(classes, mapped=maps[what]), len(classes.names)
    seen: dict[What, set[int]] = {what: {int(table[i]) for i in ids} - {count}}
    void = [i for i in _void_ids(classes, maps[what]) if i in ids]
    check_list(seen, classes, maps, {})
    check_masks(seen, {what: void}, classes)
    if count in void and ids >= set(range(1, count)) and 0 not in ids:
        raise DataError(_shift(what, classes))
    absent = sorted(set(range(count)) - seen[what])
    if void and len(absent) == 1 and seen[what] and classes.name.isdecimal():
        raise DataError(
            _doubt(what, classes, absent[0], f"the {what} never has it", option_of(what))
        )


def check_sparse(used: set[int]) -> None:
    """Refuse few ids far apart, beside 255 as void, as grey levels: no number of classes can be
    found from them. Raises `DataError`.
    """
    others = sorted(used)
    if others and others[-1] > max(_GREY_FROM, _GREY_APART * len(others)):
        some = ", ".join(map(str, others[:8])) + (", ..." if len(others) > 8 else "")
        levels = " ".join(f"--map {own}={to}" for to, own in enumerate([*others, VOID]))
        how = (
            levels
            if len(others) < 8
            else f"--map {others[0]}=0 and so on to --map {VOID}={len(others)}"
        )
        raise DataError(
            f"ids {some} and 255 look like grey levels: 255 would be void and left out, and the"
            f" number of classes {others[-1] + 1}; say {how} if they are the classes, or give"
            " --classes if these are the ids"
        )


def check_masks(
    seen: Mapping[What, set[int]], void: Mapping[What, list[int]], classes: ClassSet
) -> None:
    """Refuse masks of one class and a void id, where that leaves one class of two, or one of all.
    Raises `DataError`.
    """
    together = set[int]().union(*seen.values())
    alone: list[What] = [
        what
        for what in seen
        if void[what] and len(seen[what]) == 1 and (len(classes.names) == 2 or len(together) == 1)
    ]
    if alone:
        (own,), both = seen[alone[0]], len(alone) > 1
        other, of = next(c for c in range(len(classes.names)) if c != own), void[alone[0]][0]
        where = " and the ".join(alone)
        why = f"beside {of} the {where} {'have' if both else 'has'} {classes.names[own]!r} only"
        raise DataError(_doubt(where, classes, other, why, "" if both else option_of(alone[0]), of))


def check_list(
    seen: Mapping[What, set[int]], classes: ClassSet, maps: IdMaps, formats: Mapping[What, IdFormat]
) -> None:
    """Refuse a class list of which the first classes all occur and the rest, a quarter or more,
    never does. Raises `DataError`.
    """
    together, count = set[int]().union(*seen.values()), len(classes.names)
    used = len(together)
    said = any(to < count and to >= used for of in maps.values() for to in of.values())
    if (
        "raw" in formats.values()
        or said
        or together != set(range(used))
        or used < _DENSE
        or count - used < max(3, count / 4)
    ):
        return
    sets = [name for name, known in CLASS_SETS.items() if len(known.names) in (used - 1, used)]
    fits = " or ".join((*sets, str(used)))
    raise DataError(
        f"--classes {classes.name}: ids 0 to {used - 1} all occur and {used} to {count - 1} never"
        " do, in the prediction or the truth; give the list that the ids belong to (--classes"
        f" {fits}), or --map {count - 1}={count - 1} if this one is right"
    )


def _doubt(
    where: str, classes: ClassSet, of: int, why: str, only: str = "", own: int = VOID
) -> str:
    name = classes.names[of]
    at = f"{only}:" if only else ""
    return (
        f"{own} in the {where} would be void and left out, but may be {name!r} of --classes"
        f" {classes.name}: {why}; say --map {at}{own}={of} if it is, --map {at}{own}=void if it is"
        " void"
    )


def _shift(what: What, classes: ClassSet) -> str:
    name, count = classes.name, len(classes.names)
    return (
        f"id {count} in the {what} would be void of --classes {name} and left out, but the {what}"
        f" has none of 0, or next to none: its ids may be 1 to {count} for classes 0 to"
        f" {count - 1}; say --map 0=void --map 1=0 and so on to --map {count}={count - 1} if they"
        f" are, --map {option_of(what)}:{count}=void if {count} is void"
    )
