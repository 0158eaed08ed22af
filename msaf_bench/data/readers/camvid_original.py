"""CamVid as its authors give it: 701 stills of 720 x 960 with 32 classes in colours, and the video
between them.

ROOT/701_StillsRaw_full/DRIVE_FRAME.png and ROOT/LabeledApproved_full/DRIVE_FRAME_L.png, or the zips
of these names. Frames extracted from the videos may be added as ROOT/frames/DRIVE/DRIVE_FRAME.png
(or frames.zip); FRAME is the number in the video, as in the stills' names. Source: Brostow,
Fauqueur and Cipolla, Semantic object classes in video, 2009; its `label_colors.txt`.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msaf_bench.data.clips import CAMVID_CLASSES
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.archives import File, is_there, list_files
from msaf_bench.data.readers.labelled import Array, Key, Labelled
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

STILLS, LABELS, FRAMES = "701_StillsRaw_full", "LabeledApproved_full", "frames"

# The 32 classes by the one of the 11 that they go to, with their colours. The grouping is the one
# of SegNet's data (Badrinarayanan et al.
# 2017, after Sturgess et al. 2009) as MathWorks' `camvidPixelLabelIDs` spells it out. Void is all
# that is not named.
GROUPS: dict[str, dict[str, tuple[int, int, int]]] = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Building": (128, 0, 0), "Archway": (192, 0, 128), "Bridge": (0, 128, 64), "Tunnel": (64,
        0, 64), "Wall": (64, 192, 0),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {"Road": (128, 64, 128), "LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0,
    64)},
    "sidewalk": {"Sidewalk": (0, 0, 192), "ParkingBlock": (64, 192, 128), "RoadShoulder": (128,
    128, 192)},
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {"SignSymbol": (192, 128, 128), "Misc_Text": (128, 128, 64), "TrafficLight": (0, 64,
    64)},
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128), "SUVPickupTruck": (64, 128, 192), "Truck_Bus": (192, 128, 192),
        "Train": (192, 64, 128),
        "OtherMoving": (128, 64, 64),
    },
    "pedestrian": {
        "Pedestrian": (64, 64, 0), "Child": (192, 128, 64), "CartLuggagePram": (64, 0, 192),
        "Animal": (64, 128, 64),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
    "void": {"Void": (0, 0, 0)},
}  # fmt: skip

# The splits of the SegNet tutorial: drive, first and last frame of val and test; train is the rest.
_SPLITS = (
    ("val", "0016E5", 7959, 8159),
    ("test", "0001TP", 8550, 10380),
    ("test", "Seq05VD", 0, 5100),
)

_NAME = re.compile(r"(?:.*/)?(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)(?:_L)?\.png")
_UNKNOWN = 254  # in the table of colours


class Found(NamedTuple):
    """What a layout finds of a split: where, its labelled frames, all frames, how labels
    are read.
    """

    place: str
    labelled: list[Labelled]
    frames: dict[Key, File]
    read_label: Callable[[File, bytes], Array]


def is_here(root: Path) -> bool:
    """Whether `root` has this layout."""
    return is_there(root, STILLS, f"{STILLS}.zip")


def split_of(drive: str, number: int) -> str:
    """The split that a still belongs to."""
    return next(
        (
            name
            for name, where, first, last in _SPLITS
            if where == drive and first <= number <= last
        ),
        "train",
    )


def find(root: Path, part: str) -> Found:
    """A split in this layout. Raises `DataError` for a still without a label map or the reverse,
    and for a name that is none.
    """
    stills, labels = _numbered(root, STILLS), _numbered(root, LABELS)
    for here, there, where in ((stills, labels, LABELS), (labels, stills, STILLS)):
        missing = sorted(here.keys() - there)
        if missing:
            other = here[missing[0]]
            raise DataError(
                f"{other} has no partner in {root / where}, and {len(missing) - 1} more of"
                f" {len(here)}; copy the data set again"
            )
    frames = _numbered(root, FRAMES) if is_there(root, FRAMES, f"{FRAMES}.zip") else {}
    # The stills of other splits are no history: what is scored is not trained on, not even as a
    # past frame.
    labelled = [
        Labelled(*key, stills[key], labels[key]) for key in stills if split_of(*key) == part
    ]
    return Found(
        f"{root / STILLS}, {part}",
        labelled,
        frames | {(f.video, f.number): f.image for f in labelled},
        read_colours,
    )


def names_of(root: Path, folder: str, parts: Sequence[str]) -> list[str]:
    """The names of the stills or label maps of some splits, below the root."""
    return [file.name for key, file in _numbered(root, folder).items() if split_of(*key) in parts]


def _numbered(root: Path, folder: str) -> dict[Key, File]:
    files: dict[Key, File] = {}
    for name, file in list_files(root, folder, f"{folder}.zip").items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(
                f"{file}: not a frame's name; expected DRIVE_FRAME.png, such as 0016E5_07959.png"
            )
        key = match["drive"], int(match["frame"])
        if key in files:
            raise DataError(f"{file} and {files[key]} are the same frame; remove one")
        files[key] = file
    return files


def _table() -> Array:
    """Class by colour. The channels of all colours are multiples of 64, so two bits of each are an
    index: 64 of them.
    """
    table = np.full(64, _UNKNOWN, np.uint8)
    for name, members in GROUPS.items():
        for r, g, b in members.values():
            table[r // 64 * 16 + g // 64 * 4 + b // 64] = (
                VOID if name == "void" else CAMVID_CLASSES.index(name)
            )
    return table


_CLASS_OF = _table()


def read_colours(file: File, data: bytes) -> Array:
    """A label map in the 32 colours as ids of the 11 classes. Raises `DataError` for another
    colour.
    """
    colours = decode_png(data, file, ("RGB",))
    index = (colours[..., 0] >> 6 << 4) | (colours[..., 1] >> 6 << 2) | (colours[..., 2] >> 6)
    ids = np.where((colours & 63).any(-1), np.uint8(_UNKNOWN), _CLASS_OF[index])
    unknown = ids == _UNKNOWN
    if unknown.any():
        first = tuple(int(c) for c in colours[unknown][0])
        raise DataError(
            f"{file}: {int(unknown.sum())} pixels of no CamVid colour, the first {first}; expected"
            " the 32 colours"
        )
    return ids
