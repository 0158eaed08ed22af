"""Clips of videos in files with some labelled frames. Shapes: T frames, H W image."""

from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple
from zlib import crc32

import numpy as np

from msaf_bench.data.cache import Cache, Kept, keep_in, keep_nothing
from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.frames.files import resized
from msaf_bench.data.labels.overlay import palette
from msaf_bench.data.readers.decoding import (
    Array,
    Size,
    check_frame,
    check_label,
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


class LabelledVideos:
    """Split of labelled videos; implements `Clips`.

    With `in_memory`, every file is checked and read on opening, once per process. Otherwise a clip
    is read on request and not kept, and `fingerprint` is computed by `files.fingerprint`. Training
    labels have `conditions.size`, scored labels their size on disk. If consistency is measured, a
    scored frame without a labelled neighbour is paired with the unlabelled frame before it, or if
    that is missing with the one after it. `cache` stores decoded frames and label maps of clips
    that are not in memory. Raises `DataError` for the first fault of the files, `UsageError` if no
    clip has any history.
    """

    def __init__(
        self,
        conditions: Conditions,
        split: Split,
        files: SplitFiles,
        *,
        in_memory: bool,
        cache: Cache | None = None,
    ) -> None:
        self.classes = files.classes
        self.colours = files.colours or palette(len(files.classes))
        self._size = conditions.size
        self._train = split == "train"
        self._keep = keep_in(cache) if cache and not in_memory else keep_nothing
        spacing = conditions.train_spacing if self._train else conditions.score_spacing
        whole = pasts_of(files, conditions, spacing)
        self.repeated, self.skipped = whole.repeated, whole.skipped
        self._clips = whole.clips
        self._labelled = tuple(files.labelled[i] for i in whole.kept)
        self.videos = tuple(frame.video for frame in self._labelled)
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
        if not (self._train or in_memory) and conditions.flow != "none":
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
        frames, size = self._frames(files, newest.image)
        label = self._label(newest)
        check_label(newest.label, label.size, size)
        return Clip(frames, label.pixels, name)

    def _without_label(self, clip: Unlabelled) -> Clip:
        name = f"{clip.video}/{clip.number:05d}"
        frames, size = self._frames(clip.files, clip.files[-1])
        return Clip(frames, np.full(size, VOID, np.uint8), name)

    def _frames(self, files: tuple[File, ...], newest: File) -> tuple[Array, Size]:
        """Return the frames of a clip at `conditions.size`, and their size on disk."""
        kept = {file: self._frame(file) for file in dict.fromkeys((newest, *files))}
        size = kept[newest].size
        for file, frame in kept.items():
            check_frame(file, frame.size, size)
        return np.stack([kept[file].pixels for file in files]), size

    def _frame(self, file: File) -> Kept:
        def make() -> Kept:
            picture = read_picture(file)
            return Kept(resized(picture, self._size), picture.shape[:2])

        return self._keep(f"frame {self._size} {file.stamp()}", make)

    def _label(self, frame: Labelled) -> Kept:
        def make() -> Kept:
            ids = read_label(frame.label, frame.label.read(), frame.form, self.classes)
            return Kept(nearest(ids, self._size) if self._train else ids, ids.shape)

        size = self._size if self._train else "whole"
        meaning = f"{frame.form!r} {self.classes}"
        return self._keep(f"label {size} {meaning} {frame.label.stamp()}", make)

    def picture(self, index: int) -> Array:
        """Read the newest frame of a clip at the size of its label map."""
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

    first: Size | None = None
    for frame in labelled:
        image = decoded(frame.image, content(frame.image))
        first = first or image.shape[:2]
        check_frame(frame.image, image.shape[:2], first)
        label = read_label(frame.label, content(frame.label), frame.form, classes)
        check_label(frame.label, label.shape, image.shape[:2])
        images[rows[frame.image]] = resized(image, size)
        labels[frame.label] = nearest(label, size) if shrink_labels else label
    for file in others:
        image = decoded(file, content(file))
        check_frame(file, image.shape[:2], first or image.shape[:2])
        images[rows[file]] = resized(image, size)
    images.flags.writeable = False
    for label in labels.values():
        label.flags.writeable = False
    return _Content(images, rows, labels, content_hash("\n".join(digests)))
