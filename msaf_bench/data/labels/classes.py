"""The classes of label files: their names, their colours, and how ids in files become 0..K-1 and
void. K classes.
"""

import re
from typing import NamedTuple

from msaf_bench.data.clips import CAMVID_CLASSES, CAMVID_COLOURS
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import VOID

CITYSCAPES_CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky",
    "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
CITYSCAPES_COLOURS = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153,
    153), (250, 170, 30), (220, 220, 0),
    (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0,
    0, 70), (0, 60, 100), (0, 80, 100),
    (0, 0, 230), (119, 11, 32),
)  # fmt: skip
#: the raw id ("labelId") of each class
CITYSCAPES_RAW = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


class ClassSet(NamedTuple):
    """The classes that label maps are read as."""

    name: str
    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] = ()
    void: tuple[int, ...] = (VOID,)  #: ids in files that are no class
    #: the id of each class in files that hold raw ids; empty where there is no such format
    raw: tuple[int, ...] = ()


CLASS_SETS = {
    "camvid11": ClassSet(
        "camvid11", CAMVID_CLASSES, CAMVID_COLOURS, void=(len(CAMVID_CLASSES), VOID)
    ),
    "cityscapes19": ClassSet(
        "cityscapes19", CITYSCAPES_CLASSES, CITYSCAPES_COLOURS, raw=CITYSCAPES_RAW
    ),
}


def class_set(name: str) -> ClassSet:
    """A set by its name, or N classes without names by their number, 2 to 255. Raises
    `UsageError`.
    """
    if re.fullmatch(r"[0-9]{1,9}", name):
        if not 2 <= int(name) <= VOID:
            raise UsageError(f"--classes {name}: a number of classes is 2 to {VOID}")
        return ClassSet(name, tuple(f"class {i}" for i in range(int(name))))
    try:
        return CLASS_SETS[one_of("class set", name, CLASS_SETS)]
    except UsageError as error:
        raise UsageError(f"--classes: {error}; or give a number of classes, 2 to {VOID}") from error
