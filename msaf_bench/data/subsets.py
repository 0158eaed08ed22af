"""Subsets of a split: some of its clips, or all of them with other past frames."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clip, Clips
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import estimate
from msaf_bench.errors import DataError, UsageError

HELD = 4  #: about one in `HELD` clips of a training split is held out
KEPT = 2**30  #: memory limit in bytes for clips with replaced past frames


class Subset:
    """Clips of a split at given indices, in the split's order.

    Implements `Clips`. Includes the unlabelled clips that are neighbours of the selected ones.
    """

    def __init__(self, clips: Clips, indices: Sequence[int]) -> None:
        self.classes, self.colours = clips.classes, clips.colours
        self.fingerprint = f"{clips.fingerprint}[{_ranges(indices)}]"
        self.repeated, self.skipped = clips.repeated, clips.skipped
        kept = _joined(clips.pairs, set(indices), len(clips))
        beside = sorted({index for pair in kept for index in pair} - set(indices))
        self.unlabelled = len(beside)
        self.videos = tuple(clips.videos[index] for index in indices)
        self._clips, self._length, self._indices = clips, len(indices), (*indices, *beside)
        place = {index: i for i, index in enumerate(self._indices)}
        self.pairs = tuple((place[a], place[b]) for a, b in kept)

    def __len__(self) -> int:
        return self._length

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self._indices):
            raise IndexError(index)
        return self._indices[index]

    def __getitem__(self, index: int) -> Clip:
        return self._clips[self._at(index)]

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return the newest frame of a clip, (H, W, 3), at the size of its label map."""
        return self._clips.picture(self._at(index))

    def exact_flow(self, pair: tuple[int, int]) -> FlowField | None:
        """Return the true motion of a pair; None if unknown."""
        return self._clips.exact_flow((self._at(pair[0]), self._at(pair[1])))

    def exact_past(self, index: int) -> tuple[FlowField, ...] | None:
        """Return the true motion from the newest frame to each past frame; None if unknown."""
        return self._clips.exact_past(self._at(index))


def _joined(
    pairs: Sequence[tuple[int, int]], inside: AbstractSet[int], labelled: int
) -> list[tuple[int, int]]:
    """Return the pairs that belong to the selected clips.

    These are the pairs between selected clips, and the pairs with unlabelled clips that a sequence
    of pairs connects to a selected clip.
    """
    within = [pair for pair in pairs if all(i in inside or i >= labelled for i in pair)]
    reached, before = set(inside), -1
    while len(reached) > before:
        before = len(reached)
        for pair in within:
            if not reached.isdisjoint(pair):
                reached.update(pair)
    return [pair for pair in within if pair[0] in reached]


def _ranges(indices: Sequence[int]) -> str:
    """Return ascending indices as ranges, such as "0:62,163:367"."""
    gaps = [(a + 1, b) for a, b in pairwise(indices) if a + 1 != b]
    ends = [indices[0], *(end for gap in gaps for end in gap), indices[-1] + 1]
    return ",".join(f"{first}:{end}" for first, end in zip(ends[::2], ends[1::2], strict=True))


def hold_out(clips: Clips, frames: int, purpose: str) -> tuple[Subset, Subset]:
    """Split a training split into the clips to train on and a held-out part.

    The held-out part consists of whole videos: starting from the last, every one that still fits
    into a quarter of the clips. If every video is larger, it is the smallest video. If there is
    only one video, its last quarter is held out, and the `frames` - 1 clips before it are in
    neither part, so that the parts share no frame. Raises `DataError` if the split is too small;
    `purpose` completes the message with the purpose and the remedy.
    """
    count, held = len(clips), _held_videos(clips.videos)
    out: Sequence[int] = [i for i, video in enumerate(clips.videos) if video in held]
    left: Sequence[int] = [i for i, video in enumerate(clips.videos) if video not in held]
    if not held:
        cut = count - count // HELD
        left, out = range(cut), range(cut + frames - 1, count)
    if not left or not out:
        raise DataError(
            f"{count} training clips are too few to hold out one in {HELD} for {purpose}"
        )
    return Subset(clips, left), Subset(clips, out)


def _held_videos(videos: Sequence[str]) -> set[str]:
    """Return the videos that are held out whole; empty if there is only one video."""
    sizes = Counter(reversed(videos))  # the last one first
    if len(sizes) < 2:
        return set()
    held, room = set[str](), len(videos) // HELD
    for video, size in sizes.items():
        if size <= room:
            held.add(video)
            room -= size
    return held or {min(sizes, key=sizes.__getitem__)}


class WithPast(Subset):
    """All clips of a split with their past frames replaced.

    Kind "still" repeats the newest frame. "strangers" takes the past of the clip half a split away,
    which on most data sets is from another video. "aligned" warps the past frames onto the newest
    one by `flow`. Raises `UsageError` if the data set does not have this flow.
    """

    def __init__(self, clips: Clips, kind: str, flow: str) -> None:
        super().__init__(clips, range(len(clips)))
        self.fingerprint = clips.fingerprint
        self._kind, self._flow = kind, flow
        self._kept: dict[int, Clip] = {}
        if kind == "aligned" and flow == "none":
            raise UsageError(
                "the past cannot be aligned without flow; add --set flow=dis (on street:"
                " flow=exact)"
            )

    def __getitem__(self, index: int) -> Clip:
        if index in self._kept:
            return self._kept[index]
        clip = super().__getitem__(index)
        changed = clip._replace(frames=self._frames(index, clip.frames))
        if clip.frames.nbytes * len(self) <= KEPT:
            self._kept[index] = changed
        return changed

    def _frames(self, index: int, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._kind == "still":
            return frames[[-1] * len(frames)]
        if self._kind == "strangers":
            other = super().__getitem__((index + len(self) // 2) % len(self))
            return np.concatenate((other.frames[:-1], frames[-1:]))
        return self._aligned(index, frames)

    def _aligned(self, index: int, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        *past, newest = frames
        if self._flow == "exact":
            flows = self.exact_past(index)
            if flows is None:
                raise UsageError("flow exact: this data set does not know its motion; use flow dis")
        else:
            flows = [estimate(self._flow, newest, frame) for frame in past]
        warped = [aligned(frame, newest, flow) for frame, flow in zip(past, flows, strict=True)]
        return np.stack([*warped, newest])


def aligned(
    past: NDArray[np.uint8], newest: NDArray[np.uint8], flow: FlowField
) -> NDArray[np.uint8]:
    """Return the past frame (H, W, 3) warped onto the newest one.

    `flow` goes from the newest to the past frame. Hidden points show the newest frame.
    """
    height, width = newest.shape[:2]
    column = np.arange(width, dtype=np.float32) + flow.forward[..., 0]
    row = np.arange(height, dtype=np.float32)[:, None] + flow.forward[..., 1]
    warped = np.asarray(
        cv2.remap(past, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    outside = (column < 0) | (column > width - 1) | (row < 0) | (row > height - 1)
    hidden = outside if flow.occluded is None else outside | flow.occluded
    return np.where(hidden[..., None], newest, warped)
