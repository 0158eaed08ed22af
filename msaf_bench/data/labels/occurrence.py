"""Checks that reject ambiguous ids, based on the ids that occur. K classes.

In every set, 255 is void, as in most data sets, but in many masks it is foreground. A set may have
another void id, which is a class in other numberings. Each error names the `--map` that resolves
the ambiguity.
"""

from collections.abc import Mapping

from msaf_bench.data.labels.classes import CLASS_SETS, ClassSet
from msaf_bench.data.labels.ids import IdFormat, IdMap, IdMaps, What, id_table, option_of
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

#: number of used classes from which a list with an unused end counts as the wrong list
_DENSE = 8
#: grey levels: the largest id below 255 exceeds the first value, and the second times the count
_GREY_FROM, _GREY_APART = 32, 8


def void_ids(classes: ClassSet, mapped: IdMap, form: IdFormat = "train") -> list[int]:
    """Return the ids that are void by the class set alone, 255 first."""
    if form == "raw":
        return []
    return sorted((i for i in classes.void if i not in mapped), reverse=True)


def check_alone(ids: set[int], classes: ClassSet, maps: IdMaps, what: What) -> None:
    """Check the ids of one folder alone, without the pixels of another folder.

    Args:
        ids: the ids that occur.
        classes: the class set.
        maps: the ids given by `--map`.
        what: "prediction" or "truth".

    Raises:
        DataError: if `check_meaning` would reject the ids whatever the other folder contains.
    """
    table, count = id_table(classes, mapped=maps[what]), len(classes.names)
    occurring: dict[What, set[int]] = {what: {int(table[i]) for i in ids} - {count}}
    void = [i for i in void_ids(classes, maps[what]) if i in ids]
    check_list(occurring, classes, maps, {})
    check_masks(occurring, {what: void}, classes)
    if count in void and ids >= set(range(1, count)) and 0 not in ids:
        raise shift_error(what, classes)
    absent = sorted(set(range(count)) - occurring[what])
    if void and len(absent) == 1 and occurring[what] and classes.name.isdecimal():
        why = f"the {what} never has it"
        raise doubt_error(what, classes, absent[0], why, option_of(what))


def check_sparse(used: set[int]) -> None:
    """Reject a few ids far apart, with 255 as void, as grey levels.

    The number of classes cannot be found from them. Raises `DataError`.
    """
    ids = sorted(used)
    if not ids or ids[-1] <= max(_GREY_FROM, _GREY_APART * len(ids)):
        return
    some = ", ".join(map(str, ids[:8]))
    if len(ids) < 8:
        advice = " ".join(f"--map {level}={i}" for i, level in enumerate([*ids, VOID]))
    else:
        advice = f"--map {ids[0]}=0 and so on to --map {VOID}={len(ids)}"
    if len(ids) > 8:
        some += ", ..."
    raise DataError(
        f"ids {some} and 255 look like grey levels: 255 would be void and left out, and the"
        f" number of classes {ids[-1] + 1}; give {advice} if they are the classes, or give"
        " --classes if these are the ids"
    )


def check_masks(
    occurring: Mapping[What, set[int]], void: Mapping[What, list[int]], classes: ClassSet
) -> None:
    """Reject masks of one class and a void id, if only one class of two, or of all, remains.

    `occurring` holds the classes of each folder, `void` its void ids. Raises `DataError`.
    """
    together = set[int]().union(*occurring.values())
    doubtful: list[What] = [
        what
        for what, ids in occurring.items()
        if void[what] and len(ids) == 1 and (len(classes.names) == 2 or len(together) == 1)
    ]
    if not doubtful:
        return
    (only,) = occurring[doubtful[0]]
    other = next(c for c in range(len(classes.names)) if c != only)
    void_id = void[doubtful[0]][0]
    where = " and the ".join(doubtful)
    if len(doubtful) > 1:
        why = f"apart from {void_id}, the {where} have only {classes.names[only]!r}"
        raise doubt_error(where, classes, other, why, void_id=void_id)
    why = f"apart from {void_id}, the {where} has only {classes.names[only]!r}"
    raise doubt_error(where, classes, other, why, option_of(doubtful[0]), void_id)


def check_list(
    occurring: Mapping[What, set[int]],
    classes: ClassSet,
    maps: IdMaps,
    formats: Mapping[What, IdFormat],
) -> None:
    """Reject a class list if all its first classes occur and its end never does.

    The end must be at least three classes and at least a quarter of all. A list with `sure` set, or
    a folder with raw ids, is never rejected.

    Args:
        occurring: the classes of each folder.
        classes: the class set.
        maps: the ids given by `--map`.
        formats: the id format of each folder.

    Raises:
        DataError: if the list is rejected.
    """
    together, count = set[int]().union(*occurring.values()), len(classes.names)
    used = len(together)
    mapped = {class_id for id_map in maps.values() for class_id in id_map.values()}
    if (
        classes.sure
        or "raw" in formats.values()
        or any(used <= class_id < count for class_id in mapped)
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


def doubt_error(
    where: str, classes: ClassSet, class_id: int, why: str, option: str = "", void_id: int = VOID
) -> DataError:
    """Return the error for a void id that may be a class.

    Args:
        where: folder or folders with the void id.
        classes: the class set.
        class_id: the class that the id may be.
        why: the evidence, for the message.
        option: the folder to map the id for, in `--map`; empty for both.
        void_id: the void id.
    """
    prefix = f"{option}:" if option else ""
    return DataError(
        f"{void_id} in the {where} would be void and left out, but may be"
        f" {classes.names[class_id]!r} of --classes {classes.name}: {why}; give --map"
        f" {prefix}{void_id}={class_id} if it is, --map {prefix}{void_id}=void if it is void"
    )


def shift_error(what: What, classes: ClassSet) -> DataError:
    """Return the error for ids that may be 1 to K for classes 0 to K-1."""
    name, count = classes.name, len(classes.names)
    return DataError(
        f"id {count} in the {what} would be void of --classes {name} and left out, but the {what}"
        f" has few or no pixels of 0: its ids may be 1 to {count} for classes 0 to"
        f" {count - 1}; give --map 0=void --map 1=0 and so on to --map {count}={count - 1} if they"
        f" are, --map {option_of(what)}:{count}=void if {count} is void"
    )
