"""Conversion of ids or colours in label maps on disk to classes. Shapes: H W."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.files import File
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID
from msaf_bench.spec.data_sets import VOID_NAME, LabelFormat

Array = NDArray[np.uint8]

_STRAY = 254  # in tables: an undefined id or colour; this limits the classes to 254


def read_label(file: File, data: bytes, form: LabelFormat, classes: tuple[str, ...]) -> Array:
    """Return a label map as ids 0..K-1 and void.

    Args:
        file: the file, for errors.
        data: its content.
        form: the format of the label map.
        classes: names of the K classes.

    Raises:
        DataError: if the file has another form, or contains an undefined id or colour.
    """
    if form.colours:
        return _of_colours(file, decode_png(data, file, ("RGB",)), form, classes)
    if form.channel:
        ids = decode_png(data, file, ("RGB",))[..., 0]
    else:
        ids = decode_png(data, file, ("L", "P"))
    found = _table_of_ids(form, classes)[ids]  # pyright: ignore[reportArgumentType]  (it is frozen)
    stray = ids[found == _STRAY]
    if stray.size:
        known = form.ids_of(classes)
        raise DataError(
            f"{file}: id {stray[0]} in {stray.size} pixels is not a class; expected"
            f" {_spans([*known, *form.ignore])} ({len(classes)} classes and void)"
        )
    return found


def _of_colours(file: File, colours: Array, form: LabelFormat, classes: tuple[str, ...]) -> Array:
    index = colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found = _table_of_colours(form, classes)[index]  # pyright: ignore[reportArgumentType]
    stray = found == _STRAY
    if stray.any():
        first = tuple(int(c) for c in colours[stray][0])
        count = sum(len(painted) for _, painted in form.colours)
        raise DataError(
            f"{file}: {int(stray.sum())} pixels with an unknown colour, the first {first};"
            f" expected the {count} colours of the data set"
        )
    return found


@lru_cache(maxsize=8)
def _table_of_ids(form: LabelFormat, classes: tuple[str, ...]) -> Array:
    """Return (256,): class, void or `_STRAY` per id."""
    table = np.full(VOID + 1, _STRAY, np.uint8)
    table[list(form.ignore)] = VOID
    for file_id, class_id in form.ids_of(classes).items():
        table[file_id] = class_id
    return table


@lru_cache(maxsize=2)
def _table_of_colours(form: LabelFormat, classes: tuple[str, ...]) -> Array:
    """Return (2**24,): class, void or `_STRAY` per colour."""
    table = np.full(1 << 24, _STRAY, np.uint8)
    for name, colours in form.colours:
        class_id = VOID if name == VOID_NAME else classes.index(name)
        for r, g, b in colours:
            table[r << 16 | g << 8 | b] = class_id
    return table


def _spans(ids: list[int]) -> str:
    """Return numbers as text, such as "0 to 33 and 255"."""
    spans: list[list[int]] = []
    for each in sorted(set(ids)):
        if spans and each == spans[-1][1] + 1:
            spans[-1][1] = each
        else:
            spans.append([each, each])
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in spans]
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]
