"""CamVid in the layout of the SegNet tutorial: stills of 360 x 480, label maps with ids.

ROOT/{train,trainannot,val,valannot}/DRIVE_FRAME.png and the same for test. Ids 0 to 10 are the
classes, 11 is void. A folder may also be a zip of its name, such as ROOT/train.zip.
"""

import re
from pathlib import Path

import numpy as np

from msaf_bench.data.labels.classes import CLASS_SETS
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.camvid.splits import COUNTS, STEPS
from msaf_bench.data.readers.files import File, is_there, list_files
from msaf_bench.data.readers.videos import Array, Labelled, SplitFiles
from msaf_bench.errors import DataError, and_more
from msaf_bench.spec import VOID

_CLASSES = CLASS_SETS["camvid11"]
_VOID_ID = len(_CLASSES.names)  # in the files
_NAME = re.compile(r"(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)\.png")


def is_here(root: Path) -> bool:
    """Return whether `root` has this layout."""
    return is_there(root, "train", "train.zip")


def find_split(root: Path, part: str) -> SplitFiles:
    """Return the files of a split.

    Raises `DataError` for a frame without a label map or the reverse, for a frame that another
    split has too, and for a name that is not DRIVE_FRAME.png.
    """
    images, labels = _list_pngs(root, part), _list_pngs(root, f"{part}annot")
    _check_partners(images, labels, root / f"{part}annot")
    _check_partners(labels, images, root / part)
    _check_other_splits(root, part, images)
    labelled: list[Labelled] = []
    for name, image in images.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(
                f"{image}: not a frame's name; expected DRIVE_FRAME.png, such as 0016E5_07959.png"
            )
        labelled.append(Labelled(match["drive"], int(match["frame"]), image, labels[name]))
    return SplitFiles(
        data="camvid",
        place=str(root / part),
        classes=_CLASSES,
        labelled=tuple(sorted(labelled)),
        frames={(frame.video, frame.number): frame.image for frame in labelled},
        step=STEPS[part],
        read_label=read_classes,
    )


def names_of(root: Path, folder: str) -> list[str]:
    """Return the names of the files of a folder, below the root."""
    return [file.key for file in list_files(root, folder, f"{folder}.zip").values()]


def _list_pngs(root: Path, folder: str) -> dict[str, File]:
    files = list_files(root, folder, f"{folder}.zip")
    if not files:
        raise DataError(f"{root / folder}: no PNG files; copy the data set again")
    return files


def _check_partners(files: dict[str, File], partners: dict[str, File], folder: Path) -> None:
    missing = sorted(files.keys() - partners.keys())
    if missing:
        raise DataError(
            f"{folder / missing[0]} is missing{and_more(len(missing) - 1, len(files))}; copy the"
            " data set again"
        )


def _check_other_splits(root: Path, part: str, images: dict[str, File]) -> None:
    for other in COUNTS.keys() - {part}:
        if not is_there(root, other, f"{other}.zip"):
            continue
        shared = sorted(images.keys() & _list_pngs(root, other).keys())
        if shared:
            raise DataError(
                f"{images[shared[0]]} is in {root / other}"
                f" too{and_more(len(shared) - 1, len(images))}; copy the data set again"
            )


def read_classes(file: File, data: bytes) -> Array:
    """Return a label map as ids 0 to 10 and void. Raises `DataError` for another id."""
    label = decode_png(data, file, ("L", "P"))
    if label.max() > _VOID_ID:
        raise DataError(
            f"{file}: label {label.max()}; expected 0 to {_VOID_ID} (11 classes and void), not raw"
            " ids or colours"
        )
    return np.where(label == _VOID_ID, np.uint8(VOID), label)
