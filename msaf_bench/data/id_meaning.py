"""What the ids of two folders mean beyond doubt, and what must be said with `--map`. K classes.

255 is void in every set, as in most data sets, and foreground in many masks. Whether it can be void is told from all files together.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.class_sets import CLASS_SETS, ClassSet
from msaf_bench.data.label_ids import IdFormat, IdMap, What, id_table
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID

IdMaps = Mapping[What, IdMap]

_OPTIONS: dict[What, str] = {"prediction": "pred", "truth": "truth"}
_DENSE = 8  #: classes from which on a list that stops being used in the middle is taken for the wrong one


def parse_maps(texts: Iterable[str], classes: ClassSet | None) -> dict[What, dict[int, int]]:
    """What `--map FROM=TO` says: for both folders, or after `pred:` or `truth:` for one; TO is a class 0..K-1 or `void`.

    Without a class set (its size is found from the ids) void is 255. Raises `UsageError` for anything else, and for an id mapped twice.
    """
    count = len(classes.names) if classes else VOID
    found: dict[What, dict[int, int]] = {"prediction": {}, "truth": {}}
    for text in texts:
        match = re.fullmatch(r"(?:(pred|truth):)?([0-9]{1,3})=([0-9]{1,3}|void)", text.strip())
        own, to = (int(match[2]), count if match[3] == "void" else int(match[3])) if match else (VOID + 1, 0)
        if not match or own > VOID or (match[3] != "void" and to >= count):
            top = f"0 to {count - 1}" if classes else "a class"
            raise UsageError(f"--map {text}: write FROM=TO, as in 255=1, truth:0=void; FROM is an id from 0 to {VOID}, TO {top} or void")
        for what, option in _OPTIONS.items():
            if match[1] in (None, option) and found[what].setdefault(own, to) != to:
                raise UsageError(f"--map {text}: id {own} is mapped to something else too; leave one of them")
    return found


def check_meaning(joint: NDArray[np.int64], classes: ClassSet, formats: Mapping[What, IdFormat], maps: IdMaps) -> None:
    """Refuse ids that would vanish into void although they seem to be a class, and a class list that does not fit.

    `joint` (256, 256) are the counts of all pixels, rows the ids of the truth, columns those of the prediction. Raises `DataError`.
    """
    ids: dict[What, NDArray[np.int64]] = {"truth": joint.sum(1), "prediction": joint.sum(0)}
    tables = {what: id_table(classes, formats[what], maps[what]) for what in ids}
    seen: dict[What, set[int]] = {
        what: {int(tables[what][i]) for i in np.flatnonzero(counts)} - {len(classes.names)} for what, counts in ids.items()
    }
    void: dict[What, bool] = {what: bool(ids[what][VOID] > 0) and VOID not in maps[what] and formats[what] == "train" for what in ids}
    check_list(seen, classes, maps, formats)
    check_masks(seen, void, classes)
    absent = [c for c in range(len(classes.names)) if c not in seen["truth"]]
    both = joint[VOID, VOID]
    if void["truth"]:
        predicted = {c: joint[VOID, tables["prediction"] == c].sum() for c in absent}
        if len(absent) == 1 and void["prediction"] and absent[0] not in seen["prediction"] and 2 * both > joint[VOID].sum():
            raise DataError(_doubt("prediction and the truth", classes, absent[0], "neither has it, and both have 255 in the same places"))
        for c, pixels in predicted.items():
            if 2 * pixels > joint[VOID].sum():
                raise DataError(_doubt("truth", classes, c, "the truth never has it, and most of its 255 are predicted as it", "truth"))
    if void["prediction"]:
        for c in sorted(seen["truth"] - seen["prediction"]):
            true = joint[tables["truth"] == c]
            if 2 * true[:, VOID].sum() > true.sum():
                raise DataError(_doubt("prediction", classes, c, "the prediction never has it, and has 255 in most places of it", "pred"))


def check_alone(ids: set[int], classes: ClassSet, maps: IdMaps, what: What) -> None:
    """Refuse the ids of one folder that `check_meaning` refuses whatever the other folder holds. Raises `DataError`."""
    table, count = id_table(classes, mapped=maps[what]), len(classes.names)
    seen: dict[What, set[int]] = {what: {int(table[i]) for i in ids} - {count}}
    void = VOID in ids and VOID not in maps[what]
    check_list(seen, classes, maps, {})
    check_masks(seen, {what: void}, classes)
    absent = sorted(set(range(count)) - seen[what])
    if void and len(absent) == 1 and seen[what] and classes.name.isdecimal():
        raise DataError(_doubt(what, classes, absent[0], f"the {what} never has it", _OPTIONS[what]))


def check_masks(seen: Mapping[What, set[int]], void: Mapping[What, bool], classes: ClassSet) -> None:
    """Refuse masks of one class and 255, where that leaves one class of two, or one of all. Raises `DataError`."""
    together = set[int]().union(*seen.values())
    alone: list[What] = [what for what in seen if void[what] and len(seen[what]) == 1 and (len(classes.names) == 2 or len(together) == 1)]
    if alone:
        (own,), both = seen[alone[0]], len(alone) > 1
        other = next(c for c in range(len(classes.names)) if c != own)
        where = " and the ".join(alone)
        why = f"beside 255 the {where} {'have' if both else 'has'} {classes.names[own]!r} only"
        raise DataError(_doubt(where, classes, other, why, "" if both else _OPTIONS[alone[0]]))


def check_list(seen: Mapping[What, set[int]], classes: ClassSet, maps: IdMaps, formats: Mapping[What, IdFormat]) -> None:
    """Refuse a class list of which the first classes all occur and the rest, a quarter or more, never does. Raises `DataError`."""
    together, count = set[int]().union(*seen.values()), len(classes.names)
    used = len(together)
    said = any(to < count and to >= used for of in maps.values() for to in of.values())
    if "raw" in formats.values() or said or together != set(range(used)) or used < _DENSE or count - used < max(3, count / 4):
        return
    sets = [name for name, known in CLASS_SETS.items() if len(known.names) in (used - 1, used)]
    fits = " or ".join((*sets, str(used)))
    raise DataError(
        f"--classes {classes.name}: ids 0 to {used - 1} all occur and {used} to {count - 1} never do, in the prediction or the truth; "
        f"give the list that the ids belong to (--classes {fits}), or --map {count - 1}={count - 1} if this one is right"
    )


def _doubt(where: str, classes: ClassSet, of: int, why: str, only: str = "") -> str:
    name = classes.names[of]
    at = f"{only}:" if only else ""
    return (
        f"255 in the {where} would be void and left out, but may be {name!r} of --classes {classes.name}: {why}; "
        f"say --map {at}{VOID}={of} if it is, --map {at}{VOID}=void if it is void"
    )
