"""Subsets of a split: some of its clips, or all of them with other past frames."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clip, Clips
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import estimate
from msaf_bench.errors import DataError, UsageError

TUNE = 4  #: one in this many clips of the training split is held out for tuning
KEPT = 2**30  #: bytes of clips with replaced past frames that stay in memory


class Subset:
    """The clips of a split from `first` to before `end`, as `Clips`, and the unlabelled ones that
    are neighbours of these.
    """

    def __init__(self, clips: Clips, first: int, end: int) -> None:
        self.classes, self.colours = clips.classes, clips.colours
        self.fingerprint = f"{clips.fingerprint}[{first}:{end}]"
        self.repeated, self.skipped = clips.repeated, clips.skipped
        inside = range(first, end)
        kept = _joined(clips.pairs, inside, len(clips))
        beside = sorted({index for pair in kept for index in pair} - set(inside))
        self.unlabelled = len(beside)
        self._clips, self._length, self._indices = clips, len(inside), (*inside, *beside)
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
        """Return the true motion from the newest frame of a clip to each past frame; None if
        unknown.
        """
        return self._clips.exact_past(self._at(index))


def _joined(
    pairs: Sequence[tuple[int, int]], inside: range, labelled: int
) -> list[tuple[int, int]]:
    """Return the pairs of clips inside, and those with unlabelled clips that a run of pairs joins
    to one inside.
    """
    within = [pair for pair in pairs if all(i in inside or i >= labelled for i in pair)]
    reached, before = set(inside), -1
    while len(reached) > before:
        before = len(reached)
        for pair in within:
            if not reached.isdisjoint(pair):
                reached.update(pair)
    return [pair for pair in within if pair[0] in reached]


def tuning_part(clips: Clips, split: Literal["train", "score"], frames: int) -> Subset:
    """Return the training split without its last quarter ("train"), or that quarter alone
    ("score"), to choose hyper-parameters on.

    The cut falls between two videos if possible; inside a video `frames` - 1 clips are left out, so
    that no frame is on both sides. Raises `DataError` for a split that is too small.
    """
    count = len(clips)
    neighbours, wanted = set(clips.pairs), count - count // TUNE
    borders = [i for i in range(wanted, count) if (i - 1, i) not in neighbours]
    cut = borders[0] if borders else wanted
    resumed = cut if borders else cut + frames - 1
    if not 0 < cut <= resumed < count:
        raise DataError(
            f"{count} training clips are too few to hold out one in {TUNE} for tuning; score the"
            " other split (scored=score)"
        )
    return Subset(clips, 0, cut) if split == "train" else Subset(clips, resumed, count)


class WithPast(Subset):
    """All clips of a split with their past frames replaced.

    Kind "still" repeats the newest frame; "strangers" takes the past of the clip half a split away,
    on most data sets from another video; "aligned" warps the past frames over the newest one by
    `flow`. Raises `UsageError` for flow that the data set does not have.
    """

    def __init__(self, clips: Clips, kind: str, flow: str) -> None:
        super().__init__(clips, 0, len(clips))
        self.fingerprint = clips.fingerprint
        self._kind, self._flow = kind, flow
        self._kept: dict[int, Clip] = {}
        if kind == "aligned" and flow == "none":
            raise UsageError(
                "the past cannot be aligned without flow; add --set flow=dis (street knows its own:"
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
    """Return the past frame (H, W, 3) warped over the newest one by the flow from the newest to the
    past frame; hidden points show the newest frame.
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
