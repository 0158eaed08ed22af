"""The class sets of label files: names and colours of the K classes, and how ids in files become
0..K-1 and void.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import VOID

Colour = tuple[int, int, int]  #: red, green, blue

_CAMVID: tuple[tuple[str, Colour], ...] = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("sidewalk", (60, 40, 222)),
    ("tree", (128, 128, 0)),
    ("sign", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)

# name, raw id ("labelId"), colour
_CITYSCAPES: tuple[tuple[str, int, Colour], ...] = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
)


class ClassSet(NamedTuple):
    """The classes that label maps are read as."""

    name: str
    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    void: tuple[int, ...] = (VOID,)  #: ids in files that are no class
    #: raw id of each class in files that hold raw ids; empty if the data set has no such format
    raw: tuple[int, ...] = ()


CAMVID_CLASSES = tuple(name for name, _ in _CAMVID)
CAMVID_COLOURS = tuple(colour for _, colour in _CAMVID)
CITYSCAPES_RAW = tuple(raw for _, raw, _ in _CITYSCAPES)

CLASS_SETS = {
    "camvid11": ClassSet("camvid11", CAMVID_CLASSES, CAMVID_COLOURS, void=(len(_CAMVID), VOID)),
    "cityscapes19": ClassSet(
        "cityscapes19",
        tuple(name for name, _, _ in _CITYSCAPES),
        tuple(colour for _, _, colour in _CITYSCAPES),
        raw=CITYSCAPES_RAW,
    ),
}


def class_set(name: str) -> ClassSet:
    """Return the class set of this name, or N classes without names for a number N from 2 to 255.

    Raises `UsageError` for another name or number.
    """
    if re.fullmatch(r"[0-9]{1,9}", name):
        if not 2 <= int(name) <= VOID:
            raise UsageError(f"--classes {name}: a number of classes is 2 to {VOID}")
        return ClassSet(name, tuple(f"class {i}" for i in range(int(name))))
    try:
        return CLASS_SETS[one_of("class set", name, CLASS_SETS)]
    except UsageError as error:
        raise UsageError(f"--classes: {error}; or give a number of classes, 2 to {VOID}") from error


def colourise(label: NDArray[np.uint8], colours: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return a label map (H, W) as a picture (H, W, 3); void is black."""
    table = np.zeros((VOID + 1, 3), np.uint8)
    table[: len(colours)] = colours
    return table[label]
