"""Clips of videos that lie in files, some of whose frames are labelled. Shapes: T frames, H W
image.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clip, Flow
from msaf_bench.data.frames.files import resized
from msaf_bench.data.histories import Histories, histories
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.archives import File, fingerprint
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import Conditions, content_hash

Split = Literal["train", "score"]
Array = NDArray[np.uint8]
Size = tuple[int, int]
Key = tuple[str, int]  #: a frame by its video and its number there

# from here on frames are that many source frames apart only nearly: one more or less is the same
# frame
_SPARSE = 10


class Labelled(NamedTuple):
    """A labelled frame of a video; frames are numbered as the camera took them."""

    video: str
    number: int
    image: File
    label: File


class Footage(NamedTuple):
    """What a layout finds of a split."""

    data: str
    place: str  #: where, for messages
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    labelled: tuple[Labelled, ...]  #: by video and number
    frames: dict[Key, File]  #: all frames, the labelled ones too
    step: int  #: source frames between labelled neighbours
    read_label: Callable[[File, bytes], Array]  #: ids 0..K-1 and void, (H, W)


class LabelledVideos:
    """A split of labelled videos, as `Clips`.

    With `in_memory` every file is checked and read on opening, once a process. Without, a clip is
    read when it is asked for and not kept, and `fingerprint` is that of `archives.fingerprint`.
    Training labels come at `conditions.size`, scored labels as they are on disk. Raises `DataError`
    for the first thing that is wrong with the files, `UsageError` where no clip has any history.
    """

    def __init__(
        self, conditions: Conditions, split: Split, footage: Footage, *, in_memory: bool
    ) -> None:
        self.classes, self.colours = footage.classes, footage.colours
        self._size, self._train, self._read_label = (
            conditions.size,
            split == "train",
            footage.read_label,
        )
        found = _histories(
            footage,
            conditions,
            conditions.train_spacing if self._train else conditions.score_spacing,
        )
        self._clips = found.clips
        self._labelled = tuple(footage.labelled[i] for i in found.kept)
        self.repeated, self.skipped = found.repeated, found.skipped
        self.pairs = tuple(
            (i, i + 1)
            for i, two in enumerate(pairwise(self._labelled))
            if _apart(*two, footage.step)
        )
        self._content: _Content | None = None
        if in_memory:
            known = {frame.image for frame in footage.labelled}
            more = tuple(
                dict.fromkeys(file for clip in found.clips for file in clip if file not in known)
            )
            self._content = _read_all(
                footage.labelled, more, self._size, self._train, footage.read_label
            )
            self.fingerprint = self._content.fingerprint
        else:
            self.fingerprint = fingerprint(
                sorted(
                    {f for clip in found.clips for f in clip}
                    | {frame.label for frame in self._labelled}
                )
            )

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        newest, files = self._labelled[index], self._clips[index]
        name = f"{newest.video}/{newest.number:05d}"
        if self._content:
            return Clip(
                self._content.images[[self._content.rows[file] for file in files]],
                self._content.labels[newest.label],
                name,
            )
        image, label = _checked(newest, newest.image.read(), newest.label.read(), self._read_label)
        read = {newest.image: resized(image, self._size)}
        for file in files:
            if file not in read:
                read[file] = resized(_picture(file, file.read(), image.shape), self._size)
        return Clip(
            np.stack([read[file] for file in files]),
            _nearest(label, self._size) if self._train else label,
            name,
        )

    def picture(self, index: int) -> Array:
        """The newest frame of a clip at the size of its label map, read again from its file."""
        file = self._labelled[index].image
        picture = _picture(file, file.read())
        return resized(picture, self._size) if self._train else picture

    def exact_flow(self, pair: tuple[int, int]) -> Flow | None:
        """None: the motion of real video is not known."""
        return None

    def exact_past(self, index: int) -> tuple[Flow, ...] | None:
        """None: the motion of real video is not known."""
        return None


def _near(spacing: int) -> tuple[int, ...]:
    return (0, -1, 1) if spacing >= _SPARSE else (0,)


def _apart(earlier: Labelled, later: Labelled, step: int) -> bool:
    return earlier.video == later.video and later.number - earlier.number - step in _near(step)


def _histories(footage: Footage, conditions: Conditions, spacing: int) -> Histories[File]:
    labelled = footage.labelled

    def past(i: int, back: int) -> File | None:
        frame = labelled[i]
        if back * spacing == 0:
            return frame.image
        near = (
            footage.frames.get((frame.video, frame.number - back * spacing + d))
            for d in _near(spacing)
        )
        return next((file for file in near if file), None)

    def missing(i: int, back: int) -> str:
        return (
            f"{labelled[i].image}: frame {labelled[i].number - back * spacing} of"
            f" {labelled[i].video} is not there"
        )

    found = histories(len(labelled), past, conditions.frames, conditions.history, missing)
    if len(labelled) > 1 and found.repeated == len(labelled) * (conditions.frames - 1) > 0:
        steps = sorted({b.number - a.number for a, b in pairwise(labelled) if a.video == b.video})[
            :8
        ]
        apart = (
            f"{footage.data}: no two frames of {footage.place} are {spacing} source frames apart"
        )
        raise UsageError(f"{apart}; there are steps of {steps}, and --set frames=1 needs none")
    return found


class _Content(NamedTuple):
    images: Array  # (N, H, W, 3)
    rows: dict[File, int]
    labels: dict[File, Array]
    fingerprint: str


@lru_cache(maxsize=4)
def _read_all(
    labelled: tuple[Labelled, ...],
    more: tuple[File, ...],
    size: Size,
    shrink_labels: bool,
    read_label: Callable[[File, bytes], Array],
) -> _Content:
    rows = {file: row for row, file in enumerate((*(frame.image for frame in labelled), *more))}
    images, labels, digests = (
        np.empty((len(rows), *size, 3), np.uint8),
        dict[File, Array](),
        list[str](),
    )

    def content(file: File) -> bytes:
        data = file.read()
        digests.append(f"{file.name} {len(data)} {crc32(data):08x}")
        return data

    shape: tuple[int, ...] = ()
    for frame in labelled:
        image, label = _checked(
            frame, content(frame.image), content(frame.label), read_label, shape
        )
        shape = image.shape
        images[rows[frame.image]] = resized(image, size)
        labels[frame.label] = _nearest(label, size) if shrink_labels else label
    for file in more:
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
    """A picture and its label map, of one size."""
    picture, ids = _picture(frame.image, image, shape), read_label(frame.label, label)
    if picture.shape[:2] != ids.shape:
        (h, w), (lh, lw) = picture.shape[:2], ids.shape
        raise DataError(
            f"{frame.label}: a label of {lh}x{lw} for an image of {h}x{w}; copy the data set again"
        )
    return picture, ids


def _picture(file: File, data: bytes, shape: tuple[int, ...] = ()) -> Array:
    """A frame, which must have the shape of others where one is given."""
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
