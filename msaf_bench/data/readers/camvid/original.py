"""CamVid as its authors give it: 701 stills of 720 x 960 with 32 classes in colours, and the video
between them.

ROOT/701_StillsRaw_full/DRIVE_FRAME.png and ROOT/LabeledApproved_full/DRIVE_FRAME_L.png, or the zips
of these names. Frames extracted from the videos may be added as ROOT/frames/DRIVE/DRIVE_FRAME.png
(or frames.zip); FRAME is the number in the video, as in the stills' names. Source: Brostow,
Fauqueur and Cipolla, Semantic object classes in video, 2009; its `label_colors.txt`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msaf_bench.data.labels.classes import CLASS_SETS, Colour
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.camvid.splits import STEPS, split_of
from msaf_bench.data.readers.files import File, is_there, list_files
from msaf_bench.data.readers.videos import Array, Key, Labelled, SplitFiles
from msaf_bench.errors import DataError, and_more
from msaf_bench.spec import VOID

STILLS, LABELS, FRAMES = "701_StillsRaw_full", "LabeledApproved_full", "frames"

# The 32 classes by the one of the 11 that they go to, with their colours. The grouping is that of
# SegNet's data (Badrinarayanan et al. 2017, after Sturgess et al. 2009) as MathWorks'
# `camvidPixelLabelIDs` spells it out.
GROUPS: dict[str, dict[str, Colour]] = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Building": (128, 0, 0),
        "Archway": (192, 0, 128),
        "Bridge": (0, 128, 64),
        "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {
        "Road": (128, 64, 128),
        "LaneMkgsDriv": (128, 0, 192),
        "LaneMkgsNonDriv": (192, 0, 64),
    },
    "sidewalk": {
        "Sidewalk": (0, 0, 192),
        "ParkingBlock": (64, 192, 128),
        "RoadShoulder": (128, 128, 192),
    },
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {
        "SignSymbol": (192, 128, 128),
        "Misc_Text": (128, 128, 64),
        "TrafficLight": (0, 64, 64),
    },
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128),
        "SUVPickupTruck": (64, 128, 192),
        "Truck_Bus": (192, 128, 192),
        "Train": (192, 64, 128),
        "OtherMoving": (128, 64, 64),
    },
    "pedestrian": {
        "Pedestrian": (64, 64, 0),
        "Child": (192, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Animal": (64, 128, 64),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
    "void": {"Void": (0, 0, 0)},
}

_CLASSES = CLASS_SETS["camvid11"]
_NAME = re.compile(r"(?:.*/)?(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)(?:_L)?\.png")
_UNKNOWN = 254  # in the table of colours


def is_here(root: Path) -> bool:
    """Return whether `root` has this layout."""
    return is_there(root, STILLS, f"{STILLS}.zip")


def find_split(root: Path, part: str) -> SplitFiles:
    """Return the files of a split.

    Raises `DataError` for a still without a label map or the reverse, for two files of one frame,
    and for a name that is not DRIVE_FRAME.png.
    """
    stills, labels = _by_frame(root, STILLS), _by_frame(root, LABELS)
    _check_partners(stills, labels, root / LABELS)
    _check_partners(labels, stills, root / STILLS)
    video_frames = _by_frame(root, FRAMES) if is_there(root, FRAMES, f"{FRAMES}.zip") else {}
    # The stills of other splits are no history: a scored frame is not trained on, not even as a
    # past frame.
    own_stills = {key: still for key, still in stills.items() if split_of(*key) == part}
    labelled = sorted(Labelled(*key, still, labels[key]) for key, still in own_stills.items())
    return SplitFiles(
        data="camvid",
        place=f"{root / STILLS}, {part}",
        classes=_CLASSES,
        labelled=tuple(labelled),
        frames=video_frames | own_stills,
        step=STEPS[part],
        read_label=read_colours,
    )


def names_of(root: Path, folder: str, parts: Sequence[str]) -> list[str]:
    """Return the names of the stills or label maps of some splits, below the root."""
    return [file.key for key, file in _by_frame(root, folder).items() if split_of(*key) in parts]


def _by_frame(root: Path, folder: str) -> dict[Key, File]:
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


def _check_partners(files: dict[Key, File], partners: dict[Key, File], folder: Path) -> None:
    missing = sorted(files.keys() - partners.keys())
    if missing:
        raise DataError(
            f"{files[missing[0]]} has no partner in"
            f" {folder}{and_more(len(missing) - 1, len(files))}; copy the data set again"
        )


def _class_table() -> Array:
    """Return (64,): class by colour. All channels are multiples of 64, so two bits of each index a
    colour.
    """
    table = np.full(64, _UNKNOWN, np.uint8)
    for name, members in GROUPS.items():
        class_id = VOID if name == "void" else _CLASSES.names.index(name)
        for r, g, b in members.values():
            table[r // 64 * 16 + g // 64 * 4 + b // 64] = class_id
    return table


_CLASS_OF = _class_table()


def read_colours(file: File, data: bytes) -> Array:
    """Return a label map in the 32 colours as ids of the 11 classes and void.

    Raises `DataError` for another colour.
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
