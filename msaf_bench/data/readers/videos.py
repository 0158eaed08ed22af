"""Clips of videos that lie in files, some of whose frames are labelled.

A reader finds the files of a split (`SplitFiles`); `LabelledVideos` makes clips of them. Shapes: T
frames, H W image.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.frames.files import resized
from msaf_bench.data.histories import Histories, histories
from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.files import File, fingerprint
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import Conditions, content_hash

Split = Literal["train", "score"]
Array = NDArray[np.uint8]
Size = tuple[int, int]
Key = tuple[str, int]  #: a frame by its video and its number there

# From this spacing on, in source frames, a frame whose number is off by one counts as the frame.
_SPARSE = 10


class Labelled(NamedTuple):
    """A labelled frame of a video; frames are numbered as the camera took them."""

    video: str
    number: int
    image: File
    label: File


class SplitFiles(NamedTuple):
    """The files of a split, as a reader finds them."""

    data: str  #: name of the data set
    place: str  #: for messages
    classes: ClassSet
    labelled: tuple[Labelled, ...]  #: by video and number
    frames: dict[Key, File]  #: all frames, including the labelled ones
    step: int  #: source frames between labelled neighbours
    read_label: Callable[[File, bytes], Array]  #: ids 0..K-1 and void, (H, W)


class LabelledVideos:
    """A split of labelled videos, as `Clips`.

    With `in_memory`, every file is checked and read on opening, once per process. Otherwise a clip
    is read when it is asked for and not kept, and `fingerprint` is that of `files.fingerprint`.
    Training labels have `conditions.size`, scored labels their size on disk. Raises `DataError` for
    the first fault of the files, `UsageError` if no clip has any history.
    """

    def __init__(
        self, conditions: Conditions, split: Split, files: SplitFiles, *, in_memory: bool
    ) -> None:
        self.classes, self.colours = files.classes.names, files.classes.colours
        self._size = conditions.size
        self._train = split == "train"
        self._read_label = files.read_label
        spacing = conditions.train_spacing if self._train else conditions.score_spacing
        whole = _histories(files, conditions, spacing)
        self.repeated, self.skipped = whole.repeated, whole.skipped
        self._clips = whole.clips
        self._labelled = tuple(files.labelled[i] for i in whole.kept)
        self.unlabelled = 0
        self.pairs = tuple(
            (i, i + 1)
            for i, (earlier, later) in enumerate(pairwise(self._labelled))
            if _are_neighbours(earlier, later, files.step)
        )
        history = dict.fromkeys(file for clip in self._clips for file in clip)
        self._content: _Content | None = None
        if in_memory:
            images = {frame.image for frame in files.labelled}
            others = tuple(file for file in history if file not in images)
            self._content = _read_all(
                files.labelled, others, self._size, self._train, files.read_label
            )
            self.fingerprint = self._content.fingerprint
        else:
            labels = {frame.label for frame in self._labelled}
            self.fingerprint = fingerprint(sorted(labels | history.keys()))

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        newest, files = self._labelled[index], self._clips[index]
        name = f"{newest.video}/{newest.number:05d}"
        if self._content:
            rows = [self._content.rows[file] for file in files]
            return Clip(self._content.images[rows], self._content.labels[newest.label], name)
        image, label = _checked(newest, newest.image.read(), newest.label.read(), self._read_label)
        pictures = {newest.image: resized(image, self._size)}
        for file in files:
            if file not in pictures:
                pictures[file] = resized(_picture(file, file.read(), image.shape), self._size)
        if self._train:
            label = _nearest(label, self._size)
        return Clip(np.stack([pictures[file] for file in files]), label, name)

    def picture(self, index: int) -> Array:
        """Read the newest frame of a clip again, at the size of its label map."""
        file = self._labelled[index].image
        picture = _picture(file, file.read())
        return resized(picture, self._size) if self._train else picture

    def exact_flow(self, pair: tuple[int, int]) -> FlowField | None:
        """Return None: the motion of real video is unknown."""
        return None

    def exact_past(self, index: int) -> tuple[FlowField, ...] | None:
        """Return None: the motion of real video is unknown."""
        return None


def _tolerances(spacing: int) -> tuple[int, ...]:
    """Return by how much the number of a frame may be off, the best first."""
    return (0, -1, 1) if spacing >= _SPARSE else (0,)


def _are_neighbours(earlier: Labelled, later: Labelled, step: int) -> bool:
    off = later.number - earlier.number - step
    return earlier.video == later.video and off in _tolerances(step)


def _histories(files: SplitFiles, conditions: Conditions, spacing: int) -> Histories[File]:
    labelled = files.labelled

    def past(i: int, back: int) -> File | None:
        newest = labelled[i]
        if back * spacing == 0:
            return newest.image
        for off in _tolerances(spacing):
            file = files.frames.get((newest.video, newest.number - back * spacing + off))
            if file:
                return file
        return None

    def missing(i: int, back: int) -> str:
        newest = labelled[i]
        return (
            f"{newest.image}: frame {newest.number - back * spacing} of {newest.video} is not there"
        )

    whole = histories(len(labelled), past, conditions.frames, conditions.history, missing)
    if len(labelled) > 1 and whole.repeated == len(labelled) * (conditions.frames - 1) > 0:
        steps = {b.number - a.number for a, b in pairwise(labelled) if a.video == b.video}
        raise UsageError(
            f"{files.data}: no two frames of {files.place} are {spacing} source frames apart; there"
            f" are steps of {sorted(steps)[:8]}, and --set frames=1 needs none"
        )
    return whole


class _Content(NamedTuple):
    images: Array  # (N, H, W, 3)
    rows: dict[File, int]
    labels: dict[File, Array]
    fingerprint: str


@lru_cache(maxsize=4)
def _read_all(
    labelled: tuple[Labelled, ...],
    others: tuple[File, ...],
    size: Size,
    shrink_labels: bool,
    read_label: Callable[[File, bytes], Array],
) -> _Content:
    """Read the labelled frames, their label maps and the other frames of their histories."""
    files = (*(frame.image for frame in labelled), *others)
    rows = {file: row for row, file in enumerate(files)}
    images = np.empty((len(rows), *size, 3), np.uint8)
    labels: dict[File, Array] = {}
    digests: list[str] = []

    def content(file: File) -> bytes:
        data = file.read()
        digests.append(f"{file.key} {len(data)} {crc32(data):08x}")
        return data

    shape: tuple[int, ...] = ()
    for frame in labelled:
        image, label = _checked(
            frame, content(frame.image), content(frame.label), read_label, shape
        )
        shape = image.shape
        images[rows[frame.image]] = resized(image, size)
        labels[frame.label] = _nearest(label, size) if shrink_labels else label
    for file in others:
        images[rows[file]] = resized(_picture(file, content(file), shape), size)
    images.flags.writeable = False
    for label in labels.values():
        label.flags.writeable = False
    return _Content(images, rows, labels, content_hash("\n".join(digests)))


def _checked(
    frame: Labelled,
    image: bytes,
    label: bytes,
    read_label: Callable[[File, bytes], Array],
    shape: tuple[int, ...] = (),
) -> tuple[Array, Array]:
    """Decode a picture and its label map. Raises `DataError` if their sizes differ."""
    picture, ids = _picture(frame.image, image, shape), read_label(frame.label, label)
    if picture.shape[:2] != ids.shape:
        (h, w), (label_h, label_w) = picture.shape[:2], ids.shape
        raise DataError(
            f"{frame.label}: a label of {label_h}x{label_w} for an image of {h}x{w}; copy the data"
            " set again"
        )
    return picture, ids


def _picture(file: File, data: bytes, shape: tuple[int, ...] = ()) -> Array:
    """Decode a frame. Raises `DataError` if a shape is given and the frame has another one."""
    picture = decode_png(data, file, ("RGB",))
    if shape and picture.shape != shape:
        raise DataError(
            f"{file}: a frame of {picture.shape[0]}x{picture.shape[1]} among frames of"
            f" {shape[0]}x{shape[1]}; copy it again"
        )
    return picture


def _nearest(label: Array, size: Size) -> Array:
    if label.shape == size:
        return label
    return np.asarray(
        cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
