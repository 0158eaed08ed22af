"""Folders of label maps that anybody made: which files there are, what belongs together, how a file
is read.

A label map is an 8-bit PNG with one channel (grey, or palette: its indices) or a two-dimensional
integer array in a .npy file. Shapes: K classes, H W label map.
"""

import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.ids import ENDINGS, IdFormat, IdMap, What, check_ids, id_table
from msaf_bench.data.png import decode_png
from msaf_bench.errors import DataError
from msaf_bench.folders import Files, Ignored, list_by_key, summed
from msaf_bench.inputs import regular
from msaf_bench.spec import VOID

_SUFFIXES = (".png", ".npy")
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_GREY, _PALETTE = 0, 3  # a PNG's colour types with one channel
_FRAME = re.compile(r"[A-Za-z-]+_\d{6}_\d{6}(?![^_])")  # Cityscapes: city, sequence, frame
# what lies beside the label maps of Cityscapes
_OTHER_KINDS = ("_color", "_instanceIds", "_instanceTrainIds")


class LabelPair(NamedTuple):
    """A prediction and the truth that it belongs to."""

    name: str
    prediction: Path
    truth: Path


class LabelPairs(NamedTuple):
    """What two folders hold, in the natural order of the names."""

    both: tuple[LabelPair, ...]
    missing: tuple[str, ...]  #: truths without a prediction
    extra: tuple[str, ...]  #: predictions without a truth
    ignored: tuple[Ignored, ...]  #: what lies in the folders and was passed over


class Ids(NamedTuple):
    """A label map as it is in its file."""

    ids: NDArray[np.uint8]  #: (H, W)
    palette: bool  #: the ids are the indices of a palette


def list_label_maps(folder: Path) -> Files:
    """The label maps of a folder and its subfolders, as `list_by_key` lists them. Raises
    `DataError` as it does.

    Colour and instance pictures of Cityscapes are passed over.
    """
    found = _without(
        list_by_key(folder, _SUFFIXES, "label map"),
        folder,
        _OTHER_KINDS,
        "colours or instances of Cityscapes",
    )
    if not found.by_key:
        raise DataError(
            f"{folder}: no label map there, only colours and instances; give the folder of the"
            " class ids"
        )
    return found


def _without(files: Files, folder: Path, endings: tuple[str, ...], why: str) -> Files:
    """The files whose names have none of the endings; the others are passed over."""
    left = {key: path for key, path in files.by_key.items() if not path.stem.endswith(endings)}
    passed = (
        (path.relative_to(folder).as_posix(), why)
        for key, path in files.by_key.items()
        if key not in left
    )
    return Files(left, files.ignored + summed(folder, passed))


def pair_label_maps(prediction: Path, truth: Path, classes: ClassSet) -> LabelPairs:
    """Pairs the label maps of two folders by key; those of Cityscapes by city, sequence and frame,
    wherever they lie.

    Raises `DataError` where a folder cannot be listed, a Cityscapes frame is there twice or nothing
    belongs together.
    """
    (predictions, ignored), (truths, more) = (
        _by_frame(prediction, classes),
        _by_frame(truth, classes),
    )
    both = tuple(
        LabelPair(name, predictions[name], path)
        for name, path in truths.items()
        if name in predictions
    )
    if not both:
        raise DataError(
            f"{prediction}: no name is one of {truth}; there is {next(iter(predictions))!r} against"
            f" {next(iter(truths))!r}"
        )
    missing, extra = (
        tuple(n for n in truths if n not in predictions),
        tuple(n for n in predictions if n not in truths),
    )
    return LabelPairs(both, missing, extra, tuple(dict.fromkeys((*ignored, *more))))


def _by_frame(folder: Path, classes: ClassSet) -> Files:
    maps = list_label_maps(folder)
    if not classes.raw:
        return maps
    # the official folder may hold both formats of each frame
    if any(path.stem.endswith(ENDINGS["raw"]) for path in maps.by_key.values()):
        maps = _without(maps, folder, ENDINGS["train"], "train ids beside raw ids")
    found: dict[str, Path] = {}
    for key, path in maps.by_key.items():
        match = _FRAME.match(path.stem)
        name = match[0] if match else key
        if name in found:
            raise DataError(f"{path}: {found[name]} is of the same frame; leave one of them")
        found[name] = path
    return Files(found, maps.ignored)


def read_ids(path: Path, *, what: What) -> Ids:
    """A label map as it is stored. Raises `DataError` for a file that is none: cut, coloured,
    16-bit, probabilities, without a pixel.
    """
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror})") from error
    if not data:
        raise DataError(f"{path}: the {what} is an empty file; write it again")
    found = (
        Ids(_array_ids(path, data, what), palette=False)
        if path.suffix.lower() == ".npy"
        else _png_ids(path, data, what)
    )
    if not found.ids.size:
        raise DataError(f"{path}: the {what} has no pixel; write it again")
    return found


def _png_ids(path: Path, data: bytes, what: What) -> Ids:
    # of the header
    depth, colour = data[24:26] if data.startswith(_PNG_START) and len(data) > 25 else (8, _GREY)
    if colour not in (_GREY, _PALETTE):
        raise DataError(
            f"{path}: the {what} is a picture of several channels, such as class colours; it takes"
            " one 8-bit channel of class ids"
        )
    if depth == 16:
        raise DataError(
            f"{path}: the {what} is a 16-bit PNG; it takes one 8-bit channel of class ids"
        )
    ids = decode_png(data, f"{path}: the {what}", ("1", "L", "P"))
    if _PNG_END not in data:  # Pillow does not miss it
        raise DataError(
            f"{path}: the {what}: a PNG without its end ({len(data)} bytes); copy it again"
        )
    return Ids(ids, palette=colour == _PALETTE)


def _array_ids(path: Path, data: bytes, what: What) -> NDArray[np.uint8]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:
        # of a damaged header also MemoryError, OverflowError and those of Python's tokenizer
        raise DataError(
            f"{path}: the {what} is not a whole array ({len(data)} bytes); write it again"
        ) from error
    if array.dtype.kind not in "iu" or array.ndim != 2:
        size = "x".join(map(str, array.shape))
        raise DataError(
            f"{path}: the {what} is {size} {array.dtype}; it takes HxW integer ids: of"
            " probabilities, the argmax over classes"
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
    """One label map as ids 0..K-1 and void = 255, (H, W). Raises `DataError` as `read_known_ids`
    does.
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
    """One label map in the ids of its file, (H, W), each with a meaning; `mapped` says what single
    ids are.

    Raises `DataError` for a file that is none, for an id without a meaning, and for a name that
    says raw ids where they are not.
    """
    if classes.raw and form == "train" and path.stem.endswith(ENDINGS["raw"]):
        raise DataError(
            f"{path}: the {what} has raw ids by its name; map them to 0 to {len(classes.names) - 1}"
        )
    ids = read_ids(path, what=what).ids
    check_ids(ids_in_use(ids), path, classes, form, what, mapped or {})
    return ids


def ids_in_use(ids: NDArray[np.uint8]) -> set[int]:
    """The ids that occur in a label map."""
    return set(np.flatnonzero(np.bincount(ids.ravel(), minlength=VOID + 1)).tolist())
