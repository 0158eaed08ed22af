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

from msaf_bench.data.cache import Cache
from msaf_bench.data.labels.classes import CLASS_SETS
from msaf_bench.data.labels.ids import NO_CLASS, IdFormat, id_table
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.files import File, is_there, list_files
from msaf_bench.data.readers.videos import Array, Key, Labelled, LabelledVideos, Split, SplitFiles
from msaf_bench.errors import DataError, UsageError, and_more, one_of
from msaf_bench.spec import VOID, Conditions

COUNTS = {"train": 2975, "val": 500}  #: labelled frames of the official splits
STILLS, SEQUENCES, LABELS = "leftImg8bit", "leftImg8bit_sequence", "gtFine"

_CLASSES = CLASS_SETS["cityscapes19"]
_STRAY = 254  # an id without a meaning
_RAW_IDS, _TRAIN_IDS = "gtFine_labelIds", "gtFine_labelTrainIds"
_NAME = re.compile(
    r"(?:.*/)?(?P<city>[A-Za-z-]+)_(?P<sequence>\d{6})_(?P<frame>\d{6})_"
    rf"(?P<kind>leftImg8bit|{_RAW_IDS}|{_TRAIN_IDS})\.png"
)


def open_cityscapes(
    conditions: Conditions, split: Split, root: Path, cache: Cache | None = None
) -> LabelledVideos:
    """Open a split of Cityscapes, `score` being val; a clip is read when it is asked for,
    from the cache if it has it.

    History frames are the frames of the same sequence with the right numbers. If a frame has both
    forms of labels, raw ids are read. No two labelled frames are neighbours, so there are no pairs.
    The only option in `conditions.data_options` is `allow_partial`, which accepts another number of
    labelled frames than the official split has. Raises `UsageError` for an unknown option,
    `DataError` for the first fault of the files.
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
    _check_partners(labels, frames, f"{root / STILLS / part} and {SEQUENCES}", "frame")
    _check_partners(stills, labels, f"{root / LABELS / part}", "label map")
    labelled = tuple(Labelled(*key, frames[key], label) for key, label in sorted(labels.items()))
    files = SplitFiles(
        data="cityscapes",
        place=str(root / (SEQUENCES if sequences else STILLS) / part),
        classes=_CLASSES,
        labelled=labelled,
        frames=frames,
        step=1,
        read_label=read_classes,
    )
    return LabelledVideos(conditions, split, files, in_memory=False, cache=cache)


def archive(folder: str) -> str:
    """Return the name of the zip that a folder comes in."""
    return f"{folder}_trainvaltest.zip"


def labelled_frames(root: Path, part: str) -> dict[Key, File]:
    """Return the label maps of a split by frame.

    Raises `DataError` if there are none, if two belong to one frame, or if the other split has the
    frame too.
    """
    labels = _frames(root, LABELS, part)
    if not labels:
        raise DataError(
            f"{root / LABELS / part}: no label map; expected"
            " CITY/CITY_SEQ_FRAME_gtFine_labelIds.png"
        )
    for other in COUNTS.keys() - {part}:
        shared = sorted(labels.keys() & _frames(root, LABELS, other).keys())
        if shared:
            raise DataError(
                f"{labels[shared[0]]} is in {other} too{and_more(len(shared) - 1, len(labels))};"
                " copy the data set again"
            )
    return labels


def _frames(root: Path, folder: str, part: str) -> dict[Key, File]:
    """Return the files of a split by frame; raw ids replace train ids of the same frame.

    Other files in the same place are left alone. Raises `DataError` for two files of one kind and
    frame in different subfolders.
    """
    kinds: dict[str, dict[Key, File]] = {"leftImg8bit": {}, _TRAIN_IDS: {}, _RAW_IDS: {}}
    for name, file in list_files(root, folder, archive(folder), below=part).items():
        match = _NAME.fullmatch(name)
        if not match:
            continue
        key = f"{match['city']}_{match['sequence']}", int(match["frame"])
        of_kind = kinds[match["kind"]]
        if key in of_kind:
            raise DataError(f"{file} and {of_kind[key]} are the same frame; remove one")
        of_kind[key] = file
    return kinds["leftImg8bit"] | kinds[_TRAIN_IDS] | kinds[_RAW_IDS]


def _check_partners(
    files: Mapping[Key, File], partners: Mapping[Key, File], where: str, what: str
) -> None:
    missing = sorted(files.keys() - partners.keys())
    if missing:
        raise DataError(
            f"{files[missing[0]]} has no {what} in {where}{and_more(len(missing) - 1, len(files))};"
            " copy the data set again"
        )


def _class_table(form: IdFormat) -> Array:
    """Return (256,): class, void or `_STRAY` for each id in a file."""
    table = id_table(_CLASSES, form)
    table[table == len(_CLASSES.names)] = VOID
    table[table == NO_CLASS] = _STRAY
    return table.astype(np.uint8)


_CLASS_OF: dict[IdFormat, Array] = {"raw": _class_table("raw"), "train": _class_table("train")}


def read_classes(file: File, data: bytes) -> Array:
    """Return a label map as ids 0 to 18 and void. Raises `DataError` for an id outside the format
    that the file's name states.
    """
    label = decode_png(data, file, ("L", "P"))
    form: IdFormat = "raw" if file.key.endswith("_labelIds.png") else "train"
    ids = _CLASS_OF[form][label]
    stray = label[ids == _STRAY]
    if stray.size:
        top = max(_CLASSES.raw) if form == "raw" else len(_CLASSES.names) - 1
        raise DataError(
            f"{file}: id {stray[0]} in {stray.size} pixels; its name promises {form} ids, 0 to"
            f" {top} and {VOID}"
        )
    return ids
