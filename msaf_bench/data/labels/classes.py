"""Class sets of label files.

A class set has names and colours of the K classes, and the mapping from ids in files to 0..K-1 and
void.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.catalog import list_data_sets, read_data_set
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import VOID
from msaf_bench.spec.data_sets import Colour


class ClassSet(NamedTuple):
    """Classes of a set of label maps."""

    name: str
    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    void: tuple[int, ...] = (VOID,)  #: void ids in files
    #: raw id of each class; empty if the data set has no format of raw ids
    raw: tuple[int, ...] = ()
    sure: bool = False  #: the description of the ground truth's data set states these classes


#: name of a class set -> its data set
NAMED = {"camvid11": "camvid", "cityscapes19": "cityscapes"}


def class_set(name: str) -> ClassSet:
    """Return the class set of this name or of a data set.

    A number N from 2 to 255 gives N classes without names. Raises `UsageError` for another name or
    number.
    """
    if re.fullmatch(r"[0-9]{1,9}", name):
        if not 2 <= int(name) <= VOID:
            raise UsageError(f"--classes {name}: the number of classes must be 2 to {VOID}")
        return ClassSet(name, tuple(f"class {i}" for i in range(int(name))))
    if name in NAMED or name.endswith(".toml"):
        return _of_data_set(name, NAMED.get(name, name))
    try:
        one_of("class set", name, (*NAMED, *list_data_sets()))
    except UsageError as error:
        raise UsageError(f"--classes: {error}; or give a number of classes, 2 to {VOID}") from error
    return _of_data_set(name, name)


def _of_data_set(name: str, place: str) -> ClassSet:
    """Return the classes of a data set.

    Its raw ids are those of its label maps if every class has exactly one. Its void ids are those
    ignored in its label maps of 0..K-1.
    """
    data_set = read_data_set(place)
    forms = [form for layout in data_set.layouts for form in layout.labels if not form.colours]
    count = len(data_set.classes)
    plain = list(range(count))
    raw: tuple[int, ...] = ()
    void = {VOID}
    for form in forms:
        by_id = form.ids_of(data_set.classes)
        if sorted(by_id) == plain:
            void |= set(form.ignore)
        elif not raw and len(by_id) == count:
            raw = tuple(sorted(by_id, key=by_id.__getitem__))
    return ClassSet(name, data_set.classes, data_set.colours, tuple(sorted(void)), raw)


CLASS_SETS = {name: class_set(name) for name in NAMED}
CAMVID_CLASSES, CAMVID_COLOURS = CLASS_SETS["camvid11"].names, CLASS_SETS["camvid11"].colours


def colourise(label: NDArray[np.uint8], colours: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return a label map (H, W) as a picture (H, W, 3); void is black."""
    table = np.zeros((VOID + 1, 3), np.uint8)
    table[: len(colours)] = colours
    return table[label]
