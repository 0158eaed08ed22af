"""Predicted label maps paired with the truth of a split of a data set."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.pairs import LabelPair, LabelPairs, list_label_maps
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.data.readers.neighbours import Labelled, SplitFiles
from msaf_bench.data.readers.predicted import frames_of_names, missing_of
from msaf_bench.errors import DataError


def pair_with_split(prediction: Path, files: SplitFiles) -> LabelPairs:
    """Pair the predictions of a folder with the label maps of a split.

    Raises `DataError` for a prediction that is no frame of it, two of one frame, and if no
    predicted frame is labelled.
    """
    maps = list_label_maps(prediction)
    frames = frames_of_names(list(maps.by_key), files, prediction)
    labelled = {(frame.video, frame.number): frame for frame in files.labelled}
    pairs: dict[str, LabelPair] = {}
    for name, key in frames.items():
        if key not in labelled:  # frames between the labelled ones may be predicted too
            continue
        pair = _pair(maps.by_key[name], labelled[key], files.classes)
        if pair.name in pairs:
            other = pairs[pair.name].prediction
            raise DataError(f"{pair.prediction}: {other} is of the same frame; leave one of them")
        pairs[pair.name] = pair
    if not pairs:
        raise DataError(
            f"{prediction}: none of its {len(frames)} frames is labelled in {files.place}; predict"
            " the labelled frames"
        )
    missing = tuple(missing_of(frames.values(), files))
    return LabelPairs(tuple(pairs.values()), missing, (), maps.ignored)


def _pair(prediction: Path, frame: Labelled, classes: tuple[str, ...]) -> LabelPair:
    label = frame.label

    def read() -> NDArray[np.uint8]:
        return read_label(label, label.read(), frame.form, classes)

    return LabelPair(f"{frame.video}/{frame.number:05d}", prediction, label.path, read)
