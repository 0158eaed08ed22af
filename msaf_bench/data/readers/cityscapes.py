"""Cityscapes, fine labels, 19 classes: read from folders, or from the zips as they were downloaded.

ROOT/gtFine/{train,val}/CITY/CITY_SEQ_FRAME_gtFine_labelIds.png (or _labelTrainIds.png),
ROOT/leftImg8bit/{train,val}/CITY/CITY_SEQ_FRAME_leftImg8bit.png, and the same in
ROOT/leftImg8bit_sequence: the 30 frames of 1.8 s of which the 20th is labelled. In place of a
folder NAME there may be NAME_trainvaltest.zip. Frames are 1024 x 2048, at 17 Hz.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from msaf_bench.data.labels.classes import CLASS_SETS
from msaf_bench.data.labels.ids import NO_CLASS, IdFormat, id_table
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.archives import File, is_there, list_files
from msaf_bench.data.readers.labelled import Array, Footage, Key, Labelled, LabelledVideos, Split
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import VOID, Conditions

COUNTS = {"train": 2975, "val": 500}  #: labelled frames of the official splits
STILLS, SEQUENCES, LABELS = "leftImg8bit", "leftImg8bit_sequence", "gtFine"

_CLASSES = CLASS_SETS["cityscapes19"]
_STRAY = 254  # an id that should not be there
_NAME = re.compile(
    r"(?:.*/)?(?P<city>[A-Za-z-]+)_(?P<sequence>\d{6})_(?P<frame>\d{6})_"
    r"(?P<kind>leftImg8bit|gtFine_label(?:Train)?Ids)\.png"
)


def open_cityscapes(conditions: Conditions, split: Split, root: Path) -> LabelledVideos:
    """A split of Cityscapes, `score` being val; a clip is read when it is asked for.

    History frames are those of the same sequence with the right numbers. Raw ids are preferred
    where both forms of labels are there. No two labelled frames are neighbours, so there are no
    pairs. The only option is `allow_partial`, which takes another number of labelled frames than
    the official split has. Raises `UsageError` for an unknown option, `DataError` for what is wrong
    with the files.
    """
    for name, value in conditions.data_options:
        one_of("cityscapes option", name, ("allow_partial",))
        if not isinstance(value, bool):
            raise UsageError(f"cityscapes option {name} = {value!r}: needs true or false")
    part = "train" if split == "train" else "val"
    labels = labelled_frames(root, part)
    if len(labels) != COUNTS[part] and not dict(conditions.data_options).get("allow_partial"):
        place = f"{root / LABELS}, {part}"
        raise DataError(
            f"{place}: {len(labels)} label maps, the official split has {COUNTS[part]}; copy the"
            " data set again"
        )
    stills, sequences = (
        _frames(root, kind, part) if is_there(root, kind, archive(kind)) else {}
        for kind in (STILLS, SEQUENCES)
    )
    frames = sequences | stills
    _require(labels, frames, f"{root / STILLS / part} and {SEQUENCES}", "frame")
    _require(stills, labels, f"{root / LABELS / part}", "label map")
    labelled = tuple(Labelled(*key, frames[key], label) for key, label in sorted(labels.items()))
    place = str(root / (SEQUENCES if sequences else STILLS) / part)
    footage = Footage(
        "cityscapes", place, _CLASSES.names, _CLASSES.colours, labelled, frames, 1, read_ids
    )
    return LabelledVideos(conditions, split, footage, in_memory=False)


def archive(folder: str) -> str:
    """The zip that a folder comes in."""
    return f"{folder}_trainvaltest.zip"


def labelled_frames(root: Path, part: str) -> dict[Key, File]:
    """The label maps of a split by frame. Raises `DataError` where there is none, or a frame is in
    the other split too.
    """
    found = _frames(root, LABELS, part)
    if not found:
        raise DataError(
            f"{root / LABELS / part}: no label map; expected"
            " CITY/CITY_SEQ_FRAME_gtFine_labelIds.png"
        )
    for other in COUNTS.keys() - {part}:
        shared = sorted(found.keys() & _frames(root, LABELS, other).keys())
        if shared:
            raise DataError(
                f"{found[shared[0]]} is in {other} too, and {len(shared) - 1} more; copy the data"
                " set again"
            )
    return found


def _frames(root: Path, folder: str, part: str) -> dict[Key, File]:
    """The files of a split by frame; other files in the same place are left alone."""
    files: dict[Key, File] = {}
    # Sorted names bring labelIds before labelTrainIds.
    for name, file in list_files(root, folder, archive(folder), below=part).items():
        match = _NAME.fullmatch(name)
        if match:
            files.setdefault((f"{match['city']}_{match['sequence']}", int(match["frame"])), file)
    return files


def _require(needed: Mapping[Key, File], there: Mapping[Key, File], where: str, what: str) -> None:
    missing = sorted(needed.keys() - there.keys())
    if missing:
        raise DataError(
            f"{needed[missing[0]]} has no {what} in {where}, and {len(missing) - 1} more of"
            f" {len(needed)}; copy the data set again"
        )


def _lookup(form: IdFormat) -> Array:
    """(256,): id in a file -> class, void, or `_STRAY`."""
    table = id_table(_CLASSES, form)
    return np.where(
        table == NO_CLASS, _STRAY, np.where(table == len(_CLASSES.names), VOID, table)
    ).astype(np.uint8)


_LOOKUP: dict[IdFormat, Array] = {"raw": _lookup("raw"), "train": _lookup("train")}


def read_ids(file: File, data: bytes) -> Array:
    """A label map as ids 0 to 18 and void. Raises `DataError` for an id that the file's name does
    not promise.
    """
    label = decode_png(data, file, ("L", "P"))
    form: IdFormat = "raw" if file.name.endswith("_labelIds.png") else "train"
    ids = _LOOKUP[form][label]
    stray = label[ids == _STRAY]
    if stray.size:
        top = max(_CLASSES.raw) if form == "raw" else len(_CLASSES.names) - 1
        raise DataError(
            f"{file}: id {stray[0]} in {stray.size} pixels; its name promises {form} ids, 0 to"
            f" {top} and {VOID}"
        )
    return ids
