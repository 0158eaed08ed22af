"""Folders of predicted label maps with the matching frames and ground truth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.flows import Pair
from msaf_bench.analyzers.consistency.scores import Maps
from msaf_bench.data.flow import FlowField
from msaf_bench.data.frames.neighbours import Neighbours, neighbours
from msaf_bench.data.frames.sources import Frames, open_frames, turned_note
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.files import ids_in_use, read_known_ids, read_label_map
from msaf_bench.data.labels.ids import IdMap, What, parse_maps
from msaf_bench.data.labels.occurrence import check_alone, check_sparse
from msaf_bench.data.labels.pairs import list_label_maps
from msaf_bench.data.readers.decoding import read_picture
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.data.readers.neighbours import Labelled, SplitFiles
from msaf_bench.data.readers.predicted import check_maps_of_pred, frames_of_names, missing_of
from msaf_bench.errors import DataError, and_more
from msaf_bench.folders import Ignored
from msaf_bench.spec import VOID

T = TypeVar("T")

_KEPT = 4  # maps or images in memory, per kind


class FrameFiles(Generic[T]):
    """Images or label maps by frame index, read on demand."""

    def __init__(self, places: Sequence[T], read: Callable[[T], NDArray[np.uint8]]) -> None:
        self._places, self._read = places, lru_cache(_KEPT)(read)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._read(self._places[index])


@dataclass(frozen=True)
class PredictedFrames:
    """Predictions with their ground truth and images, by frame index."""

    keys: Sequence[str]
    classes: ClassSet
    neighbours: Neighbours
    predictions: Maps
    truths: Maps | None
    pictures: Maps | None
    unpredicted: Sequence[str] = ()  #: names of frames without a prediction
    inputs: Sequence[Path] = ()
    ignored: Sequence[Ignored] = ()
    turned: Sequence[str] = ()  #: names of frames rotated by the orientation stored in their file
    maps: Sequence[str] = ()  #: id mappings, as given by `--map`
    data: str = ""  #: data set and split of the frames; empty for a folder
    unlabelled: int = 0  #: number of frames of a data set without ground truth
    incomplete: str = ""  #: why the split differs from the official one; empty if it does not

    @property
    def partial(self) -> bool:
        """Whether some frames have no prediction or are missing from the data set."""
        return bool(self.unpredicted or self.incomplete)

    def check_sizes(self, pair: Pair, flow: FlowField | None = None) -> None:
        """Raise `DataError` unless maps, images and flow of a pair have the same size."""
        first, size = self.keys[pair[0]], self.predictions[pair[0]].shape
        read: dict[str, NDArray[np.generic] | None] = {}
        if flow:
            read = {
                f"forward flow of {first}": flow.forward,
                f"backward flow of {first}": flow.backward,
            }
        for what, maps in (
            ("prediction", self.predictions),
            ("truth", self.truths),
            ("frame", self.pictures),
        ):
            if maps is not None:
                read |= {f"{what} of {self.keys[index]}": maps[index] for index in pair}
        for what, each in read.items():
            if each is not None and each.shape[:2] != size:
                sizes = ["x".join(map(str, shape)) for shape in (each.shape[:2], size)]
                raise DataError(
                    f"{what}: {sizes[0]} (HxW), but the prediction of {first} is {sizes[1]}; resize"
                    " all to the same size"
                )

    def notes(self) -> Iterator[str]:
        """Yield one line per note about the frames, such as gaps and missing predictions."""
        yield from map(str, self.ignored)
        if self.turned:
            yield turned_note(self.turned)
        if self.neighbours.gaps:
            before, after = (self.keys[index] for index in self.neighbours.gaps[0])
            yield (
                f"gaps: {len(self.neighbours.gaps)}, such as from {before} to {after}; no pair"
                " spans a gap"
            )
        if self.unpredicted:
            yield (
                f"PARTIAL: {len(self.unpredicted)} frames have no prediction and are left out, such"
                f" as {self.unpredicted[0]}"
            )
        if self.incomplete:
            yield f"PARTIAL: {self.incomplete}"
        if self.unlabelled:
            yield (
                f"{self.unlabelled} of {len(self.keys)} frames have no true label map, so the"
                " control of ground truth is missing"
            )


def open_predictions(
    pred: Path,
    frames: Path | None,
    truth: Path | None,
    classes: ClassSet | None,
    maps: Sequence[str] = (),
    *,
    skip_bad: bool = False,
    pattern: str | None = None,
) -> PredictedFrames:
    """List the files of the folders and find out which ids are in use.

    Args:
        pred: Folder of predicted label maps.
        frames: Folder of images, or a video file with label maps named by frame number.
        truth: Folder of ground truth.
        classes: Classes of the label maps; by default as many as the largest id needs.
        maps: Id mappings, as given by `--map`.
        skip_bad: Leave out frames without a prediction.
        pattern: Position of the frame number in a file name, such as "img_{frame}_v2".

    Raises:
        DataError: If a prediction has no frame or ground truth; if a frame has no prediction,
            unless `skip_bad`; if ids that may be a class would become void.
    """
    found = list_label_maps(pred)
    keys = list(found.by_key)
    pictures = open_frames(frames, deep=True) if frames else None
    truths = list_label_maps(truth) if truth else None
    indices = _indices(keys, pictures, pred) if pictures else {}
    predicted = set(indices.values())
    unpredicted = [
        key for index, key in enumerate(pictures.keys if pictures else ()) if index not in predicted
    ]
    if pictures and unpredicted and not skip_bad:
        more = and_more(len(unpredicted) - 1, len(pictures.keys))
        raise DataError(
            f"{pred}: no prediction for frame {unpredicted[0]!r}{more}; add --skip-bad to score"
            " the others"
        )
    shown = _belonging(keys, frames, indices, pred) if frames else []
    true = _belonging(keys, truth, truths.by_key, pred) if truth and truths else []
    paths: dict[What, Sequence[Path]] = {"prediction": list(found.by_key.values()), "truth": true}
    known, mapped = _check_ids(paths, classes, maps)

    def reader(what: What) -> Callable[[Path], NDArray[np.uint8]]:
        return lambda path: read_label_map(path, known, what=what, mapped=mapped[what])

    listings = [each for each in (found, pictures, truths) if each]
    return PredictedFrames(
        keys,
        known,
        neighbours(keys, pattern),
        FrameFiles(paths["prediction"], reader("prediction")),
        FrameFiles(true, reader("truth")) if true else None,
        FrameFiles(shown, pictures.read) if pictures else None,
        unpredicted,
        (*found.by_key.values(), *true, *(pictures.files_of(shown) if pictures else ())),
        tuple(dict.fromkeys(ignored for listing in listings for ignored in listing.ignored)),
        pictures.turned(shown) if pictures else (),
        maps,
    )


def open_predicted_split(
    pred: Path,
    files: SplitFiles,
    classes: ClassSet,
    maps: Sequence[str] = (),
    *,
    skip_bad: bool = False,
) -> PredictedFrames:
    """List the predictions for a split of a data set and find out which ids are in use.

    Ground truth is available only if every predicted frame is labelled.

    Args:
        pred: Folder of predicted label maps.
        files: Frames and labels of the split.
        classes: Classes of the data set.
        maps: Id mappings of the predictions, as given by `--map`.
        skip_bad: Leave out labelled frames without a prediction.

    Raises:
        DataError: If a name matches no frame, or two names match one (see `frames_of_names`); if a
            labelled frame has no prediction, unless `skip_bad`; if ids that may be a class would
            become void.
        UsageError: If `maps` maps ids of the ground truth.
    """
    check_maps_of_pred(maps)
    found = list_label_maps(pred)
    keys = list(found.by_key)
    frames = list(frames_of_names(keys, files, pred).values())
    unpredicted = missing_of(frames, files)
    if unpredicted and not skip_bad:
        more = and_more(len(unpredicted) - 1, len(files.labelled))
        raise DataError(
            f"{pred}: no prediction for labelled frame {unpredicted[0]!r}{more}; add --skip-bad to"
            " score the others"
        )
    labelled = {(frame.video, frame.number): frame for frame in files.labelled}
    true = [labelled[frame] for frame in frames if frame in labelled]
    paths, pictures = list(found.by_key.values()), [files.frames[frame] for frame in frames]
    known, mapped = _check_ids({"prediction": paths}, classes, maps)

    def prediction(path: Path) -> NDArray[np.uint8]:
        return read_label_map(path, known, what="prediction", mapped=mapped["prediction"])

    def truth(frame: Labelled) -> NDArray[np.uint8]:
        return read_label(frame.label, frame.label.read(), frame.form, files.classes)

    return PredictedFrames(
        keys,
        known,
        neighbours([f"{video}/{number:06d}" for video, number in frames], "*/{frame}"),
        FrameFiles(paths, prediction),
        FrameFiles(true, truth) if len(true) == len(keys) else None,
        FrameFiles(pictures, read_picture),
        unpredicted,
        (*paths, *(file.path for file in (*pictures, *(frame.label for frame in true)))),
        found.ignored,
        maps=maps,
        data=f"{files.data}, split {files.split}",
        unlabelled=len(keys) - len(true),
        incomplete=files.incomplete,
    )


def _indices(keys: Sequence[str], pictures: Frames, pred: Path) -> dict[str, int]:
    """Return the frame index of each prediction that has a frame.

    Raises `DataError` if a name is not a frame number of the video file.
    """
    places = {key: index for index, key in enumerate(pictures.keys)}
    stray = [key for key in keys if pictures.key_of(key) not in places]
    if stray and pictures.video:
        raise DataError(
            f"{pred}: {stray[0]!r}{and_more(len(stray) - 1, len(keys))} is not a frame of"
            f" {pictures.place}; name label maps by frame number, 000000 to {pictures.keys[-1]}"
        )
    return {key: places[pictures.key_of(key)] for key in set(keys).difference(stray)}


def _belonging(keys: Sequence[str], place: Path, there: Mapping[str, T], pred: Path) -> list[T]:
    """Return the file of each key. Raises `DataError` if a file is missing."""
    missing = [key for key in keys if key not in there]
    if missing:
        more = and_more(len(missing) - 1, len(keys))
        raise DataError(
            f"{place}: no file for {missing[0]!r}{more}; file names must match those in {pred}"
        )
    return [there[key] for key in keys]


def _check_ids(
    paths: Mapping[What, Sequence[Path]], classes: ClassSet | None, maps: Sequence[str]
) -> tuple[ClassSet, Mapping[What, IdMap]]:
    """Read every label map and return the classes and the id mappings.

    Raises `DataError` for the first invalid label map.
    """
    mapped, widest = parse_maps(maps, classes), class_set(str(VOID))
    ids: dict[What, set[int]] = {"prediction": set(), "truth": set()}
    for what, of in paths.items():
        for path in of:
            ids[what] |= ids_in_use(
                read_known_ids(path, classes or widest, what=what, mapped=mapped[what])
            )
    if classes is None:
        used = {mapped[what].get(i, i) for what in ids for i in ids[what]} - {VOID}
        if any(VOID in of and VOID not in mapped[what] for what, of in ids.items()):
            check_sparse(used)
        classes = class_set(str(max(2, 1 + max(used, default=0))))
        mapped = parse_maps(maps, classes)
    for what, of in ids.items():
        if of:
            check_alone(of, classes, mapped, what)
    return classes, mapped
