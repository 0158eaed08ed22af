"""CamVid with 11 classes. Frame numbers count source frames at 30 Hz.

Two layouts are known: the original one (`camvid_original`), and that of the SegNet tutorial,
ROOT/{train,trainannot,val,valannot}/ DRIVE_FRAME.png of 360 x 480 with ids as labels, and the same
for test. A folder may also be a zip of its name, such as ROOT/train.zip.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msaf_bench.data.labels.classes import CLASS_SETS
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers import camvid_original
from msaf_bench.data.readers.archives import File, is_there, list_files
from msaf_bench.data.readers.labelled import Array, Footage, Labelled, LabelledVideos, Split
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import VOID, Conditions

COUNTS = {"train": 367, "val": 101, "test": 233}  #: labelled frames of the official splits

_CLASSES = CLASS_SETS["camvid11"]
_STEPS = {"train": 30, "val": 2, "test": 30}  # source frames between labelled neighbours
_VOID_ID = len(_CLASSES.names)  # in the files
_NAME = re.compile(r"(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)\.png")
_NO_LAYOUT = (
    "--root must hold train, trainannot, val and valannot of CamVid, or 701_StillsRaw_full and"
    " LabeledApproved_full"
)


def open_camvid(conditions: Conditions, split: Split, root: Path) -> LabelledVideos:
    """A split of CamVid in the layout that `root` has, read into memory.

    A history frame is the one of the same drive whose number is right; from 10 source frames on,
    one more or less will do. Options: `allow_partial` = true takes another number of frames than
    the official split has; `scored` = "test" scores that split, not val; `within_drive` = true
    scores the second half of val, labelled at 15 Hz, and trains on the first half beside train.
    Raises `UsageError` for an unknown option, `DataError` for the first thing that is wrong with
    the files.
    """
    options = _options(conditions)
    part = "train" if split == "train" else options.scored
    footage = _footage(root, part, partial=options.allow_partial)
    if options.within_drive:
        val = footage if part == "val" else _footage(root, "val", partial=options.allow_partial)
        first, second = _halves(val, conditions.frames)
        footage = _joined(footage, first) if split == "train" else second
    return LabelledVideos(conditions, split, footage, in_memory=True)


class _Options(NamedTuple):
    scored: str
    allow_partial: bool
    within_drive: bool


def _options(conditions: Conditions) -> _Options:
    given = dict(conditions.data_options)
    for name in given:
        one_of("camvid option", name, _Options._fields)
    for name in ("allow_partial", "within_drive"):
        if not isinstance(given.get(name, False), bool):
            raise UsageError(f"camvid option {name} = {given[name]!r}: needs true or false")
    scored, within = str(given.get("scored", "val")), bool(given.get("within_drive", False))
    if scored not in ("val", "test"):
        raise UsageError(f"camvid option scored = {scored!r}: needs 'val' or 'test'")
    if within and scored != "val":
        raise UsageError(
            "camvid option within_drive scores a half of val; leave out scored = 'test'"
        )
    return _Options(scored, bool(given.get("allow_partial", False)), within)


def _footage(root: Path, part: str, *, partial: bool) -> Footage:
    """What lies in `root` of an official split, in either layout."""
    found = camvid_original.find(root, part) if camvid_original.is_here(root) else _find(root, part)
    if len(found.labelled) != COUNTS[part] and not partial:
        raise DataError(
            f"{found.place}: {len(found.labelled)} frames, the official split has {COUNTS[part]};"
            " copy the data set again"
        )
    labelled = tuple(sorted(found.labelled))
    return Footage(
        "camvid",
        found.place,
        _CLASSES.names,
        _CLASSES.colours,
        labelled,
        found.frames,
        _STEPS[part],
        found.read_label,
    )


def _halves(footage: Footage, frames: int) -> tuple[Footage, Footage]:
    """A split cut in time; the clips of the second half begin where their past frames no longer lie
    in the first.
    """
    labelled = footage.labelled
    cut = len(labelled) // 2
    if cut + frames - 1 >= len(labelled):
        raise DataError(
            f"{footage.place}: {len(labelled)} frames are too few for two halves of clips of"
            f" {frames} frames"
        )
    video, border = labelled[cut].video, labelled[cut].number
    after = {
        key: file for key, file in footage.frames.items() if key[0] != video or key[1] >= border
    }
    return footage._replace(labelled=labelled[:cut]), footage._replace(
        labelled=labelled[cut + frames - 1 :], frames=after
    )


def _joined(one: Footage, other: Footage) -> Footage:
    return one._replace(
        labelled=tuple(sorted((*one.labelled, *other.labelled))), frames=one.frames | other.frames
    )


def _find(root: Path, part: str) -> camvid_original.Found:
    """A split in the layout of the SegNet tutorial."""
    if not is_there(root, "train", "train.zip"):
        raise DataError(f"{root / 'train'}: no such folder; {_NO_LAYOUT}")
    images, labels = _pngs(root, part), _pngs(root, f"{part}annot")
    for here, there, where in ((images, labels, f"{part}annot"), (labels, images, part)):
        missing = sorted(here.keys() - there)
        if missing:
            raise DataError(
                f"{root / where / missing[0]} is missing, and {len(missing) - 1} more of"
                f" {len(here)}; copy the data set again"
            )
    for other in COUNTS.keys() - {part}:
        shared = (
            sorted(images.keys() & _pngs(root, other))
            if is_there(root, other, f"{other}.zip")
            else []
        )
        if shared:
            raise DataError(
                f"{images[shared[0]]} is in {root / other} too, and {len(shared) - 1} more; copy"
                " the data set again"
            )
    labelled: list[Labelled] = []
    for name, image in images.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(
                f"{image}: not a frame's name; expected DRIVE_FRAME.png, such as 0016E5_07959.png"
            )
        labelled.append(Labelled(match["drive"], int(match["frame"]), image, labels[name]))
    return camvid_original.Found(
        str(root / part), labelled, {(f.video, f.number): f.image for f in labelled}, _read_ids
    )


def _pngs(root: Path, folder: str) -> dict[str, File]:
    files = list_files(root, folder, f"{folder}.zip")
    if not files:
        raise DataError(f"{root / folder}: no PNG files; copy the data set again")
    return files


def _read_ids(file: File, data: bytes) -> Array:
    label = decode_png(data, file, ("L", "P"))
    if label.max() > _VOID_ID:
        raise DataError(
            f"{file}: label {label.max()}; expected 0 to {_VOID_ID} (11 classes and void), not raw"
            " ids or colours"
        )
    return np.where(label == _VOID_ID, np.uint8(VOID), label)
