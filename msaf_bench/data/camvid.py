"""CamVid with 11 classes. Frame numbers count source frames at 30 Hz.

Two layouts are known: the original one (`camvid_original`), and that of the SegNet tutorial, ROOT/{train,trainannot,val,valannot}/
DRIVE_FRAME.png of 360 x 480 with ids as labels, and the same for test. A folder may also be a zip of its name, such as ROOT/train.zip.
"""

import re
from pathlib import Path

import numpy as np

from msaf_bench.data import camvid_original
from msaf_bench.data.archives import File, is_there, list_files
from msaf_bench.data.class_sets import CLASS_SETS
from msaf_bench.data.labelled import Array, Footage, Labelled, LabelledVideos, Split
from msaf_bench.data.png import decode_png
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import VOID, Conditions

COUNTS = {"train": 367, "val": 101, "test": 233}  #: labelled frames of the official splits

_CLASSES = CLASS_SETS["camvid11"]
_STEPS = {"train": 30, "val": 2, "test": 30}  # source frames between labelled neighbours
_VOID_ID = len(_CLASSES.names)  # in the files
_NAME = re.compile(r"(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)\.png")
_NO_LAYOUT = "--root must hold train, trainannot, val and valannot of CamVid, or 701_StillsRaw_full and LabeledApproved_full"


def open_camvid(conditions: Conditions, split: Split, root: Path) -> LabelledVideos:
    """A split of CamVid in the layout that `root` has, read into memory.

    A history frame is the one of the same drive whose number is right; from 10 source frames on, one more or less will do. Options:
    `allow_partial` = true takes another number of frames than the official split has; `scored` = "test" scores that split, not val.
    Raises `UsageError` for an unknown option, `DataError` for the first thing that is wrong with the files.
    """
    scored, partial = _options(conditions)
    part = "train" if split == "train" else scored
    if camvid_original.is_here(root):
        place, labelled, frames, read_label = camvid_original.find(root, part)
    else:
        place, labelled, frames, read_label = _find(root, part)
    if len(labelled) != COUNTS[part] and not partial:
        raise DataError(f"{place}: {len(labelled)} frames, the official split has {COUNTS[part]}; copy the data set again")
    footage = Footage("camvid", place, _CLASSES.names, _CLASSES.colours, tuple(sorted(labelled)), frames, _STEPS[part], read_label)
    return LabelledVideos(conditions, split, footage, in_memory=True)


def _options(conditions: Conditions) -> tuple[str, bool]:
    given = dict(conditions.data_options)
    for name in given:
        one_of("camvid option", name, ("allow_partial", "scored"))
    scored, partial = given.get("scored", "val"), given.get("allow_partial", False)
    if scored not in ("val", "test"):
        raise UsageError(f"camvid option scored = {scored!r}: needs 'val' or 'test'")
    if not isinstance(partial, bool):
        raise UsageError(f"camvid option allow_partial = {partial!r}: needs true or false")
    return str(scored), partial


def _find(root: Path, part: str) -> camvid_original.Found:
    """A split in the layout of the SegNet tutorial."""
    if not is_there(root, "train", "train.zip"):
        raise DataError(f"{root / 'train'}: no such folder; {_NO_LAYOUT}")
    images, labels = _pngs(root, part), _pngs(root, f"{part}annot")
    for here, there, where in ((images, labels, f"{part}annot"), (labels, images, part)):
        missing = sorted(here.keys() - there)
        if missing:
            raise DataError(f"{root / where / missing[0]} is missing, and {len(missing) - 1} more of {len(here)}; copy the data set again")
    for other in COUNTS.keys() - {part}:
        shared = sorted(images.keys() & _pngs(root, other)) if is_there(root, other, f"{other}.zip") else []
        if shared:
            raise DataError(f"{images[shared[0]]} is in {root / other} too, and {len(shared) - 1} more; copy the data set again")
    labelled: list[Labelled] = []
    for name, image in images.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(f"{image}: not a frame's name; expected DRIVE_FRAME.png, such as 0016E5_07959.png")
        labelled.append(Labelled(match["drive"], int(match["frame"]), image, labels[name]))
    return camvid_original.Found(str(root / part), labelled, {(f.video, f.number): f.image for f in labelled}, _read_ids)


def _pngs(root: Path, folder: str) -> dict[str, File]:
    files = list_files(root, folder, f"{folder}.zip")
    if not files:
        raise DataError(f"{root / folder}: no PNG files; copy the data set again")
    return files


def _read_ids(file: File, data: bytes) -> Array:
    label = decode_png(data, file, ("L", "P"))
    if label.max() > _VOID_ID:
        raise DataError(f"{file}: label {label.max()}; expected 0 to {_VOID_ID} (11 classes and void), not raw ids or colours")
    return np.where(label == _VOID_ID, np.uint8(VOID), label)
