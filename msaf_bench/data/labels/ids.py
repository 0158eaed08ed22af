"""Class ids in files: 0..K-1, or the raw ids of a data set that has them (the "labelIds" of
Cityscapes). K classes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

What = Literal["prediction", "truth"]
IdFormat = Literal["raw", "train"]  #: ids in files: those of `ClassSet.raw`, or 0..K-1
#: of Cityscapes' names
ENDINGS: dict[IdFormat, tuple[str, ...]] = {
    "raw": ("_labelIds",),
    "train": ("_labelTrainIds", "_trainIds"),
}
NO_CLASS = -1  #: in `id_table`: an id that has no meaning
#: id in a file -> class 0..K-1, K for void; what is said of ids beside the class set
IdMap = Mapping[int, int]
_NOTHING: IdMap = {}


def option_of(what: What) -> str:
    """What options call a folder, as in `--pred-ids` and `--map pred:255=1`."""
    return "pred" if what == "prediction" else what


def find_format(files: Mapping[Path, Iterable[int]], classes: ClassSet, what: What) -> IdFormat:
    """Whether a folder holds raw ids, told from all its files' names and the ids in each; "train"
    where there is no raw format.

    An id above K-1 says raw, unless K is the largest of all: that may be void beside 0..K-1, and is
    asked. An id of 0..K-1 that is void as a raw id, in a file with none above, says train (void ids
    that every raw truth has, below the first raw class, do not count). A name says what it says.
    Raises `DataError` where these disagree, or say nothing.
    """
    if not classes.raw:
        return "train"
    _check_largest(files, classes, what)
    said = dict[IdFormat, str]()
    count, first = len(classes.names), min(classes.raw)
    for path, ids in files.items():
        seen = set(ids)
        above = sorted(i for i in seen if count <= i <= max(classes.raw))
        between = sorted(i for i in seen if first < i < count and i not in classes.raw)
        if above:
            said.setdefault("raw", f"id {above[0]} in {path.name}")
        elif between:
            said.setdefault("train", f"id {between[0]} in {path.name}")
        for kind, endings in ENDINGS.items():
            if path.stem.endswith(endings):
                said.setdefault(kind, f"the name {path.name}")
    if not said and not any(set(ids) & set(classes.raw) for ids in files.values()):
        said["train"] = "as raw ids all would be void"
    if len(said) == 1:
        return next(iter(said))
    folder = next(iter(files)).parent
    why = (
        f"{said['raw']} says raw, {said['train']} says 0 to {count - 1}"
        if said
        else f"its few ids could be raw or 0 to {count - 1}"
    )
    raise DataError(f"{folder}: {why}; say --{option_of(what)}-ids raw or train")


def _check_largest(files: Mapping[Path, Iterable[int]], classes: ClassSet, what: What) -> None:
    """Refuse ids up to K, 255 aside: they may be raw, or 0..K-1 with K for void. Names that say raw
    do where no id speaks against it.
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
            f"{folder}: the largest id is {count}, a class of raw ids, or void beside 0 to"
            f" {count - 1}{beside}; say --{option}-ids raw, or --map {option}:{count}=void"
            f" --{option}-ids train"
        )


def id_table(
    classes: ClassSet, form: IdFormat = "train", mapped: IdMap = _NOTHING
) -> NDArray[np.int16]:
    """(256,): id in a file -> class 0..K-1, K for void, `NO_CLASS` for an id without a meaning."""
    count = len(classes.names)
    table = np.full(VOID + 1, NO_CLASS, np.int16)
    if form == "raw":
        table[: max(classes.raw) + 1] = count
    table[list(classes.void if form == "train" else (VOID,))] = count
    table[list(classes.raw if form == "raw" else range(count))] = np.arange(count)
    for own, to in mapped.items():
        table[own] = to
    return table


def check_ids(
    ids: Iterable[int],
    path: Path,
    classes: ClassSet,
    form: IdFormat,
    what: What,
    mapped: IdMap = _NOTHING,
) -> None:
    """Raises `DataError` that names the first of the ids without a meaning."""
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
