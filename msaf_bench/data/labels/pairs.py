"""Label maps in folders from any source: listing and pairing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.video import is_video
from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.files import SUFFIXES
from msaf_bench.data.labels.ids import ENDINGS
from msaf_bench.errors import DataError
from msaf_bench.folders import Files, Ignored, list_by_key, summed

_FRAME = re.compile(r"[A-Za-z-]+_\d{6}_\d{6}(?![^_])")  # Cityscapes: city, sequence, frame
# endings of other files in the label folders of Cityscapes
_OTHER_KINDS = ("_color", "_instanceIds", "_instanceTrainIds")


class LabelPair(NamedTuple):
    """Prediction and its ground truth."""

    name: str
    prediction: Path
    truth: Path
    #: returns the truth as ids 0..K-1 and void, if its file needs another reader
    read_truth: Callable[[], NDArray[np.uint8]] | None = None


class LabelPairs(NamedTuple):
    """Label maps of two folders, in the natural order of the names."""

    both: tuple[LabelPair, ...]
    missing: tuple[str, ...]  #: truths without a prediction
    extra: tuple[str, ...]  #: predictions without a truth
    ignored: tuple[Ignored, ...]  #: ignored files of the folders
    data: str = ""  #: data set and split of the truths; empty for a folder
    incomplete: str = ""  #: difference from the official split; empty if complete


def list_label_maps(folder: Path) -> Files:
    """Return the label maps of a folder and its subfolders, in the order of `list_by_key`.

    Colour and instance pictures of Cityscapes are passed over. Raises the errors of `list_by_key`,
    and `DataError` for a folder without label maps and for a video.
    """
    if is_video(folder) and not folder.is_dir():
        raise DataError(
            f"{folder}: a video cannot hold label maps, its compression changes the class ids; give"
            " a folder of PNG or .npy"
        )
    maps = _without(
        list_by_key(folder, SUFFIXES, "label map"),
        folder,
        _OTHER_KINDS,
        "colours or instances of Cityscapes",
    )
    if not maps.by_key:
        raise DataError(
            f"{folder}: no label maps, only colours and instances; give the folder of the class ids"
        )
    return maps


def _without(files: Files, folder: Path, endings: tuple[str, ...], why: str) -> Files:
    """Return the files without these endings; the others are passed over."""
    left = {key: path for key, path in files.by_key.items() if not path.stem.endswith(endings)}
    passed = (
        (path.relative_to(folder).as_posix(), why)
        for key, path in files.by_key.items()
        if key not in left
    )
    return Files(left, files.ignored + summed(folder, passed))


def pair_label_maps(prediction: Path, truth: Path, classes: ClassSet) -> LabelPairs:
    """Pair the label maps of two folders by key.

    Label maps of Cityscapes are paired by city, sequence and frame, in any subfolder. Raises
    `DataError` if a folder cannot be listed, a Cityscapes frame has two label maps, or the folders
    have no name in common.
    """
    predictions, predictions_ignored = _by_frame(prediction, classes)
    truths, truths_ignored = _by_frame(truth, classes)
    both = tuple(
        LabelPair(name, predictions[name], path)
        for name, path in truths.items()
        if name in predictions
    )
    if not both:
        raise DataError(
            f"{prediction}: no file name matches {truth}; compare {next(iter(predictions))!r} with"
            f" {next(iter(truths))!r}"
        )
    missing = tuple(name for name in truths if name not in predictions)
    extra = tuple(name for name in predictions if name not in truths)
    ignored = tuple(dict.fromkeys((*predictions_ignored, *truths_ignored)))
    return LabelPairs(both, missing, extra, ignored)


def _by_frame(folder: Path, classes: ClassSet) -> Files:
    maps = list_label_maps(folder)
    if not classes.raw:
        return maps
    # the official folder may hold both formats of each frame
    if any(path.stem.endswith(ENDINGS["raw"]) for path in maps.by_key.values()):
        maps = _without(maps, folder, ENDINGS["train"], "train ids beside raw ids")
    by_frame: dict[str, Path] = {}
    for key, path in maps.by_key.items():
        match = _FRAME.match(path.stem)
        name = match[0] if match else key
        if name in by_frame:
            raise DataError(f"{path}: {by_frame[name]} is the same frame; keep one of them")
        by_frame[name] = path
    return Files(by_frame, maps.ignored)
