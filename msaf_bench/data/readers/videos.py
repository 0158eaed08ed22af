"""Clips of videos that lie in files, some of whose frames are labelled. Shapes: T frames, H W
image.
"""

from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple
from zlib import crc32

import numpy as np

from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.frames.files import resized
from msaf_bench.data.labels.classes import made_colours
from msaf_bench.data.readers.decoding import (
    Array,
    Size,
    check_sizes,
    decoded,
    nearest,
    read_picture,
)
from msaf_bench.data.readers.files import File, fingerprint
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.data.readers.neighbours import (
    Labelled,
    SplitFiles,
    Unlabelled,
    are_neighbours,
    pasts_of,
    unlabelled_of,
)
from msaf_bench.spec import VOID, Conditions, content_hash

Split = Literal["train", "score"]
_NEIGHBOURS = False


class LabelledVideos:
    """A split of labelled videos, as `Clips`.

    With `in_memory`, every file is checked and read on opening, once per process. Otherwise a clip
    is read when it is asked for and not kept, and `fingerprint` is that of `files.fingerprint`.
    Training labels have `conditions.size`, scored labels their size on disk. If consistency is
    measured, a scored frame without a labelled neighbour is paired with the unlabelled frame before
    it, or after it if there is none. Raises `DataError` for the first fault of the files,
    `UsageError` if no clip has any history.
    """

    def __init__(
        self, conditions: Conditions, split: Split, files: SplitFiles, *, in_memory: bool
    ) -> None:
        self.classes = files.classes
        self.colours = files.colours or made_colours(len(files.classes))
        self._size = conditions.size
        self._train = split == "train"
        spacing = conditions.train_spacing if self._train else conditions.score_spacing
        whole = pasts_of(files, conditions, spacing)
        self.repeated, self.skipped = whole.repeated, whole.skipped
        self._clips = whole.clips
        self._labelled = tuple(files.labelled[i] for i in whole.kept)
        self.unlabelled = 0
        self.pairs = tuple(
            (i, i + 1)
            for i, (earlier, later) in enumerate(pairwise(self._labelled))
            if are_neighbours(earlier, later, files.step)
        )
        history = dict.fromkeys(file for clip in self._clips for file in clip)
        self._content: _Content | None = None
        if in_memory:
            images = {frame.image for frame in files.labelled}
            others = tuple(file for file in history if file not in images)
            self._content = _read_all(files, others, self._size, self._train)
            self.fingerprint = self._content.fingerprint
        else:
            labels = {frame.label for frame in self._labelled}
            self.fingerprint = fingerprint(sorted(labels | history.keys()))
        self._between: tuple[Unlabelled, ...] = ()
        if not (self._train or in_memory) and conditions.flow != "none" and _NEIGHBOURS:
            self._between, pairs = unlabelled_of(files, self._labelled, self.pairs, conditions)
            self.pairs = tuple(sorted((*self.pairs, *pairs), key=min))
        self.unlabelled = len(self._between)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self) + self.unlabelled:
            raise IndexError(index)
        if index >= len(self):
            return self._without_label(self._between[index - len(self)])
        newest, files = self._labelled[index], self._clips[index]
        name = f"{newest.video}/{newest.number:05d}"
        if self._content:
            rows = [self._content.rows[file] for file in files]
            return Clip(self._content.images[rows], self._content.labels[newest.label], name)
        image = read_picture(newest.image)
        label = read_label(newest.label, newest.label.read(), newest.form, self.classes)
        check_sizes(newest.label, label, image)
        frames = self._frames(files, newest.image, image)
        if self._train:
            label = nearest(label, self._size)
        return Clip(frames, label, name)

    def _without_label(self, clip: Unlabelled) -> Clip:
        newest = clip.files[-1]
        image = read_picture(newest)
        name = f"{clip.video}/{clip.number:05d}"
        label = np.full(image.shape[:2], VOID, np.uint8)
        return Clip(self._frames(clip.files, newest, image), label, name)

    def _frames(self, files: tuple[File, ...], newest: File, image: Array) -> Array:
        """Return the frames of a clip at the size of the conditions, the newest one read before."""
        pictures = {newest: resized(image, self._size)}
        for file in files:
            if file not in pictures:
                pictures[file] = resized(read_picture(file, image.shape), self._size)
        return np.stack([pictures[file] for file in files])

    def picture(self, index: int) -> Array:
        """Read the newest frame of a clip again, at the size of its label map."""
        count = len(self)
        file = (
            self._labelled[index].image if index < count else self._between[index - count].files[-1]
        )
        picture = read_picture(file)
        return resized(picture, self._size) if self._train else picture

    def exact_flow(self, pair: tuple[int, int]) -> FlowField | None:
        """Return None: the motion of real video is unknown."""
        return None

    def exact_past(self, index: int) -> tuple[FlowField, ...] | None:
        """Return None: the motion of real video is unknown."""
        return None


class _Content(NamedTuple):
    images: Array  # (N, H, W, 3)
    rows: dict[File, int]
    labels: dict[File, Array]
    fingerprint: str


def _read_all(
    files: SplitFiles, others: tuple[File, ...], size: Size, shrink_labels: bool
) -> _Content:
    return _read_once(files.labelled, files.classes, others, size, shrink_labels)


@lru_cache(maxsize=4)
def _read_once(
    labelled: tuple[Labelled, ...],
    classes: tuple[str, ...],
    others: tuple[File, ...],
    size: Size,
    shrink_labels: bool,
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
        image = decoded(frame.image, content(frame.image), shape)
        label = read_label(frame.label, content(frame.label), frame.form, classes)
        check_sizes(frame.label, label, image)
        shape = image.shape
        images[rows[frame.image]] = resized(image, size)
        labels[frame.label] = nearest(label, size) if shrink_labels else label
    for file in others:
        images[rows[file]] = resized(decoded(file, content(file), shape), size)
    images.flags.writeable = False
    for label in labels.values():
        label.flags.writeable = False
    return _Content(images, rows, labels, content_hash("\n".join(digests)))
