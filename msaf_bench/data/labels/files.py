"""Reading of label maps from any source.

A label map is an 8-bit PNG with one channel (grey, or palette: its indices) or a two-dimensional
integer array in a .npy file. Shapes: K classes, H W label map.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.ids import ENDINGS, IdFormat, IdMap, What, check_ids, id_table
from msaf_bench.data.png import decode_png
from msaf_bench.errors import DataError
from msaf_bench.inputs import regular
from msaf_bench.spec import VOID

SUFFIXES = (".png", ".npy")  #: suffixes of label maps
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_GREY, _PALETTE = 0, 3  # a PNG's colour types with one channel


class Ids(NamedTuple):
    """Label map with the ids of its file."""

    ids: NDArray[np.uint8]  #: (H, W)
    palette: bool  #: the ids are the indices of a palette


def read_ids(path: Path, *, what: What) -> Ids:
    """Return a label map with the ids of its file.

    Raises `DataError` for any other content, such as a truncated file, colours, 16 bits,
    probabilities, or no pixels.
    """
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror})") from error
    if not data:
        raise DataError(f"{path}: the {what} is an empty file; write it again")
    if path.suffix.lower() == ".npy":
        label_map = Ids(_array_ids(path, data, what), palette=False)
    else:
        label_map = _png_ids(path, data, what)
    if not label_map.ids.size:
        raise DataError(f"{path}: the {what} has no pixels; write it again")
    return label_map


def _png_ids(path: Path, data: bytes, what: What) -> Ids:
    depth, colour = 8, _GREY
    if data.startswith(_PNG_START) and len(data) > 25:
        depth, colour = data[24:26]  # fields of the header
    if colour not in (_GREY, _PALETTE):
        raise DataError(
            f"{path}: the {what} is a picture of several channels, such as class colours; expected"
            " one 8-bit channel of class ids"
        )
    if depth == 16:
        raise DataError(
            f"{path}: the {what} is a 16-bit PNG; expected one 8-bit channel of class ids"
        )
    ids = decode_png(data, f"{path}: the {what}", ("1", "L", "P"))
    if _PNG_END not in data:  # Pillow accepts truncated files
        raise DataError(f"{path}: the {what}: a truncated PNG ({len(data)} bytes); copy it again")
    return Ids(ids, palette=colour == _PALETTE)


def _array_ids(path: Path, data: bytes, what: What) -> NDArray[np.uint8]:
    try:
        array: NDArray[np.generic] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:
        # a damaged header also raises MemoryError, OverflowError and errors of Python's tokenizer
        raise DataError(
            f"{path}: the {what} is not a complete array ({len(data)} bytes); write it again"
        ) from error
    if array.dtype.kind not in "iu" or array.ndim != 2:
        size = "x".join(map(str, array.shape))
        raise DataError(
            f"{path}: the {what} is {size} {array.dtype}; expected HxW integer ids; for"
            " probabilities, write the argmax over classes"
        )
    for extreme in (int(array.min(initial=0)), int(array.max(initial=0))):
        if not 0 <= extreme <= VOID:
            raise DataError(f"{path}: the {what} holds id {extreme}; ids are 0 to {VOID}")
    return array.astype(np.uint8)


def read_label_map(
    path: Path,
    classes: ClassSet,
    *,
    what: What,
    form: IdFormat = "train",
    mapped: IdMap | None = None,
) -> NDArray[np.uint8]:
    """Return a label map as ids 0..K-1 and void = 255, (H, W).

    Args:
        path: the file.
        classes: the class set.
        what: "prediction" or "truth", for messages.
        form: the format of its ids.
        mapped: classes of single ids, in addition to the class set.

    Raises:
        DataError: see `read_known_ids`.
    """
    ids = read_known_ids(path, classes, what=what, form=form, mapped=mapped)
    table = id_table(classes, form, mapped or {})
    return np.where(table == len(classes.names), VOID, table).astype(np.uint8)[ids]


def read_known_ids(
    path: Path,
    classes: ClassSet,
    *,
    what: What,
    form: IdFormat = "train",
    mapped: IdMap | None = None,
) -> NDArray[np.uint8]:
    """Return a label map with the ids of its file, (H, W), after checking that all are defined.

    Args:
        path: the file.
        classes: the class set.
        what: "prediction" or "truth", for messages.
        form: the format of its ids.
        mapped: classes of single ids, in addition to the class set.

    Raises:
        DataError: if the file is not a label map, contains an undefined id, or is named
            `*_labelIds` although `form` is not "raw".
    """
    if classes.raw and form == "train" and path.stem.endswith(ENDINGS["raw"]):
        raise DataError(
            f"{path}: the {what} is named like raw ids; map them to 0 to {len(classes.names) - 1}"
        )
    ids = read_ids(path, what=what).ids
    check_ids(ids_in_use(ids), path, classes, form, what, mapped or {})
    return ids


def ids_in_use(ids: NDArray[np.uint8]) -> set[int]:
    """Return the ids that occur in a label map."""
    return set(np.flatnonzero(np.bincount(ids.ravel(), minlength=VOID + 1)).tolist())
