"""Formats of class ids in files, for K classes.

Ids are 0..K-1, or the raw ids of a data set (such as the "labelIds" of Cityscapes), or defined by
`--map`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID

What = Literal["prediction", "truth"]
IdFormat = Literal["raw", "train"]  #: ids in files: those of `ClassSet.raw`, or 0..K-1
#: endings of the names of Cityscapes' label maps
ENDINGS: dict[IdFormat, tuple[str, ...]] = {
    "raw": ("_labelIds",),
    "train": ("_labelTrainIds", "_trainIds"),
}
NO_CLASS = -1  #: marks an undefined id in `id_table`
#: ids given by `--map`: id in a file -> class 0..K-1, or K for void
IdMap = Mapping[int, int]
IdMaps = Mapping[What, IdMap]
_MAP = re.compile(r"(?:(?P<folder>pred|truth):)?(?P<id>[0-9]{1,3})=(?:(?P<class>[0-9]{1,3})|void)")
_NOTHING: IdMap = {}


def option_of(what: What) -> str:
    """Return the name of a folder in options, as in `--pred-ids` and `--map pred:255=1`."""
    return "pred" if what == "prediction" else what


def find_format(files: Mapping[Path, Iterable[int]], classes: ClassSet, what: What) -> IdFormat:
    """Return the id format of a folder, found from the names of all files and the ids in each.

    Returns "train" if the class set has no raw format. Otherwise:

    - An id above K-1 is evidence for raw, unless K is the largest id of all: K may
      be void in addition to 0..K-1.
    - An id of 0..K-1 that is void as a raw id, in a file without larger ids, is evidence for
      train. Void ids below the first raw class do not count: every raw ground truth has them.
    - A name that ends in one of `ENDINGS` is evidence for its format.

    Raises `DataError` if the evidence is contradictory or missing.
    """
    if not classes.raw:
        return "train"
    _check_largest(files, classes, what)
    evidence: dict[IdFormat, str] = {}  # first evidence per format, for the message
    count, first = len(classes.names), min(classes.raw)
    for path, ids in files.items():
        seen = set(ids)
        above = sorted(i for i in seen if count <= i <= max(classes.raw))
        between = sorted(i for i in seen if first < i < count and i not in classes.raw)
        if above:
            evidence.setdefault("raw", f"id {above[0]} in {path.name}")
        elif between:
            evidence.setdefault("train", f"id {between[0]} in {path.name}")
        for kind, endings in ENDINGS.items():
            if path.stem.endswith(endings):
                evidence.setdefault(kind, f"the name {path.name}")
    if not evidence and not any(set(ids) & set(classes.raw) for ids in files.values()):
        evidence["train"] = "as raw ids all would be void"
    if len(evidence) == 1:
        return next(iter(evidence))
    folder = next(iter(files)).parent
    if evidence:
        why = f"{evidence['raw']} says raw, {evidence['train']} says 0 to {count - 1}"
    else:
        why = f"its few ids could be raw or 0 to {count - 1}"
    raise DataError(f"{folder}: {why}; give --{option_of(what)}-ids raw or train")


def _check_largest(files: Mapping[Path, Iterable[int]], classes: ClassSet, what: What) -> None:
    """Raise `DataError` if K is the largest id except 255: ids may be raw, or 0..K-1 and void.

    No error if all names have the ending of raw ids and no id contradicts them.
    """
    count = len(classes.names)
    used = set[int]().union(*files.values()) - {VOID}
    if max(used, default=0) != count:
        return
    against = sorted(i for i in used if min(classes.raw) < i < count and i not in classes.raw)
    if against or not all(path.stem.endswith(ENDINGS["raw"]) for path in files):
        folder, option = next(iter(files)).parent, option_of(what)
        also = ", ".join(str(i) for i in sorted(used - {count}) if i not in classes.raw)
        beside = f"; ids {also} would be void as raw ids" if also else ""
        raise DataError(
            f"{folder}: the largest id is {count}: a class of raw ids, or void beside 0 to"
            f" {count - 1}{beside}; give --{option}-ids raw, or --map {option}:{count}=void"
            f" --{option}-ids train"
        )


def id_table(
    classes: ClassSet, form: IdFormat = "train", mapped: IdMap = _NOTHING
) -> NDArray[np.int16]:
    """Return the table from id in a file to class, (256,).

    Classes are 0..K-1, K for void, and `NO_CLASS` for an undefined id.
    """
    count = len(classes.names)
    table = np.full(VOID + 1, NO_CLASS, np.int16)
    if form == "raw":
        table[: max(classes.raw) + 1] = count
    table[list(classes.void if form == "train" else (VOID,))] = count
    table[list(classes.raw if form == "raw" else range(count))] = np.arange(count)
    for file_id, class_id in mapped.items():
        table[file_id] = class_id
    return table


def check_ids(
    ids: Iterable[int],
    path: Path,
    classes: ClassSet,
    form: IdFormat,
    what: What,
    mapped: IdMap = _NOTHING,
) -> None:
    """Raise `DataError` for the first undefined id.

    Args:
        ids: the ids in a file.
        path: the file, for the message.
        classes: the class set.
        form: the format of the ids.
        what: "prediction" or "truth", for the message.
        mapped: classes of single ids, in addition to the class set.
    """
    table = id_table(classes, form, mapped)
    strays = sorted(i for i in ids if table[i] == NO_CLASS)
    if strays:
        top = max(classes.raw) if form == "raw" else len(classes.names) - 1
        void = f"void {', '.join(str(i) for i in classes.void)}" if form == "train" else "raw ids"
        known = f"--classes {classes.name} has 0 to {top} ({void})"
        how = (
            f"map the ids (--map {strays[0]}=CLASS or {strays[0]}=void) or give the right --classes"
        )
        raise DataError(f"{path}: the {what} holds id {strays[0]}; {known}; {how}")


def parse_maps(texts: Iterable[str], classes: ClassSet | None) -> dict[What, dict[int, int]]:
    """Parse the values FROM=TO of `--map`.

    They apply to both folders, or after `pred:` or `truth:` to one. TO is a class 0..K-1 or `void`.
    Without a class set (its size is found from the ids), void is 255. Raises `UsageError` for any
    other text, and for an id with two values.
    """
    void = len(classes.names) if classes else VOID
    maps: dict[What, dict[int, int]] = {"prediction": {}, "truth": {}}
    for text in texts:
        match = _MAP.fullmatch(text.strip())
        if not match or int(match["id"]) > VOID or int(match["class"] or 0) >= void:
            top = f"0 to {void - 1}" if classes else "a class"
            raise UsageError(
                f"--map {text}: write FROM=TO, as in 255=1, truth:0=void; FROM is an id from 0 to"
                f" {VOID}, TO {top} or void"
            )
        file_id = int(match["id"])
        class_id = int(match["class"]) if match["class"] else void
        for what, of_folder in maps.items():
            if match["folder"] not in (None, option_of(what)):
                continue
            if of_folder.setdefault(file_id, class_id) != class_id:
                raise UsageError(
                    f"--map {text}: id {file_id} is mapped to two values; keep one of them"
                )
    return maps
