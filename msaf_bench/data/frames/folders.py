"""Frames of several videos in one folder: which of them follow each other."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from msaf_bench.data.frames.numbers import Numbers, near, read_given, read_numbers, step_of
from msaf_bench.data.frames.values import KINDS
from msaf_bench.errors import DataError

_OWN = 3  #: distances from which on a video has a step of its own


class Neighbours(NamedTuple):
    """Which frames follow each other, by index."""

    pairs: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]  #: neighbours in a video that are not a step apart
    #: the shortest and the longest distance of a pair, in frames or seconds; none where names have
    #: no number
    steps: tuple[float, ...]
    videos: tuple[tuple[int, ...], ...]  #: the frames of each video in order, across gaps
    numbers: Numbers

    def describe(self, keys: Sequence[str]) -> dict[str, Any]:
        """How the frames are numbered, for `--json`; `read` has the first two frames."""
        shown = next(
            (video[:2] for video in self.videos if len(video) > 1), range(min(2, len(keys)))
        )
        return {
            "kind": KINDS[self.numbers.kind],
            "patterns": list(self.numbers.patterns),
            "videos": len(self.videos),
            "read": (
                {keys[index]: self.numbers.shown(index) for index in shown}
                if self.numbers.kind != "order"
                else {}
            ),
        }


def neighbours(keys: Sequence[str], pattern: str | None = None) -> Neighbours:
    """Frames named by their path -> the pairs that follow each other.

    How names are read is inferred once for all of them, or given by a `pattern` (`frame_numbers`).
    A pair is a step apart, off by a quarter at most; the step is that of the video, of few frames
    that of the folder. Raises `DataError` where two frames of a video have one number and, unless
    the pattern is given, where the numbers are read in a way that leaves most frames without a
    neighbour.
    """
    numbers = read_given(keys, pattern) if pattern else read_numbers(keys)
    ordered = numbers.videos
    distances = {
        video: [b - a for (a, _), (b, _) in pairwise(frames)] for video, frames in ordered.items()
    }
    flat = [distance for of in distances.values() for distance in of]
    _check_twice(keys, numbers)
    pairs, gaps, steps = list[tuple[int, int]](), list[tuple[int, int]](), set[int]()
    for video, frames in ordered.items():
        own = distances[video]
        step = step_of(own if len(own) >= _OWN or not flat else flat) if own else 0
        for distance, ((_, before), (_, after)) in zip(own, pairwise(frames), strict=True):
            (pairs if near(distance, step) else gaps).append((before, after))
            steps |= {distance} if near(distance, step) else set()
    if not numbers.sure and numbers.kind != "order":
        _check_even(keys, numbers, pairs, gaps)
    shown = (
        ()
        if numbers.kind == "order"
        else tuple(
            step * numbers.unit for step in sorted({*sorted(steps)[:1], *sorted(steps)[-1:]})
        )
    )
    videos = tuple(tuple(index for _, index in frames) for frames in ordered.values())
    return Neighbours(tuple(pairs), tuple(gaps), shown, videos, numbers)


def _check_twice(keys: Sequence[str], numbers: Numbers) -> None:
    for frames in numbers.videos.values():
        for (a, before), (b, after) in pairwise(frames):
            if a == b:
                read = (
                    f"{keys[before]!r} and {keys[after]!r} are both read as frame"
                    f" {numbers.shown(before)} of one video"
                )
                raise DataError(
                    f"{read}; rename one, or say with --frame-pattern where the number is"
                )


def _check_even(
    keys: Sequence[str],
    numbers: Numbers,
    pairs: Sequence[tuple[int, int]],
    gaps: Sequence[tuple[int, int]],
) -> None:
    advice = (
        f"as {' and '.join(numbers.patterns[:2])}; say with --frame-pattern where the number is"
    )
    if len(pairs) < len(gaps):
        a, b = gaps[0]
        read = (
            f"{keys[a]!r} was read as frame {numbers.shown(a)} and {keys[b]!r} as"
            f" {numbers.shown(b)}"
        )
        raise DataError(
            f"frames are not evenly numbered: {len(gaps)} of {len(gaps) + len(pairs)} steps are"
            f" uneven; {read}, {advice}"
        )
    folders: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        folders.setdefault(key.rpartition("/")[0], []).append(index)
    paired = {index for pair in pairs for index in pair}
    for indices in folders.values():
        alone = [index for index in indices if index not in paired]
        a, b = (
            alone[0] if alone else 0,
            next(
                (i for i in indices if alone and numbers.read[i][0] != numbers.read[alone[0]][0]),
                None,
            ),
        )
        if 2 * len(alone) > len(indices) and b is not None:
            read = (
                f"{keys[a]!r} was read as frame {numbers.shown(a)} and {keys[b]!r} as"
                f" {numbers.shown(b)} of another video"
            )
            raise DataError(
                f"{len(alone)} of {len(indices)} frames of a folder have no neighbour: {read},"
                f" {advice}"
            )
