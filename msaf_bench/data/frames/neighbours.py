"""Order of the frames of several videos in one folder."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypedDict

from msaf_bench.data.frames.inference import read_numbers
from msaf_bench.data.frames.numbers import Numbers, distances, near, step_of
from msaf_bench.data.frames.patterns import read_given
from msaf_bench.data.frames.values import KINDS
from msaf_bench.errors import DataError

_OWN = 3  #: least number of distances for a video to have its own step


class Numbering(TypedDict):
    """Numbering of the frames of a folder, for `--json`."""

    kind: str
    patterns: list[str]
    videos: int
    read: dict[str, str]  #: numbers of the first two frames of a video


class Neighbours(NamedTuple):
    """Frames that follow each other, by index."""

    pairs: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]  #: neighbours in a video that are not a step apart
    #: shortest and longest distance of a pair, in frames or seconds; empty for names without
    #: numbers
    steps: tuple[float, ...]
    videos: tuple[tuple[int, ...], ...]  #: frames of each video in order, across gaps
    numbers: Numbers

    def describe(self, keys: Sequence[str]) -> Numbering:
        """Return the numbering of the frames with these names."""
        first_two = [video[:2] for video in self.videos if len(video) > 1]
        shown: Sequence[int] = first_two[0] if first_two else range(min(2, len(keys)))
        read: dict[str, str] = {}
        if self.numbers.kind != "order":
            read = {keys[index]: self.numbers.shown(index) for index in shown}
        return {
            "kind": KINDS[self.numbers.kind],
            "patterns": list(self.numbers.patterns),
            "videos": len(self.videos),
            "read": read,
        }


def neighbours(keys: Sequence[str], pattern: str | None = None) -> Neighbours:
    """Return the pairs of frames, named by their path, that follow each other.

    One reading of the names is inferred for all of them (`read_numbers`), or given by a `pattern`
    (`read_given`). Frames are a pair if they are one step apart, within a quarter of the step. The
    step is that of the video, or of the folder if the video has few frames.

    Raises `DataError` if two frames of a video have the same number. Without a pattern, also raises
    it if the reading leaves most frames without a neighbour.
    """
    numbers = read_given(keys, pattern) if pattern else read_numbers(keys)
    by_video = numbers.videos
    _check_twice(keys, numbers)
    of_folder = [step for frames in by_video.values() for step in distances(frames)]
    pairs, gaps, steps = list[tuple[int, int]](), list[tuple[int, int]](), set[int]()
    for frames in by_video.values():
        own = distances(frames)
        if not own:
            continue
        step = step_of(own if len(own) >= _OWN else of_folder)
        for distance, ((_, before), (_, after)) in zip(own, pairwise(frames), strict=True):
            if near(distance, step):
                pairs.append((before, after))
                steps.add(distance)
            else:
                gaps.append((before, after))
    if not numbers.sure and numbers.kind != "order":
        _check_steps(keys, numbers, pairs, gaps)
        _check_alone(keys, numbers, pairs)
    extremes = {min(steps), max(steps)} if steps and numbers.kind != "order" else set[int]()
    shown = tuple(step * numbers.unit for step in sorted(extremes))
    videos = tuple(tuple(index for _, index in frames) for frames in by_video.values())
    return Neighbours(tuple(pairs), tuple(gaps), shown, videos, numbers)


def _check_twice(keys: Sequence[str], numbers: Numbers) -> None:
    """Raise `DataError` if two frames of a video have the same number."""
    for frames in numbers.videos.values():
        for (a, before), (b, after) in pairwise(frames):
            if a == b:
                raise DataError(
                    f"{keys[before]!r} and {keys[after]!r} are both read as frame"
                    f" {numbers.shown(before)} of one video; rename one, or give the"
                    " number's place with --frame-pattern"
                )


def _check_steps(
    keys: Sequence[str],
    numbers: Numbers,
    pairs: Sequence[tuple[int, int]],
    gaps: Sequence[tuple[int, int]],
) -> None:
    """Raise `DataError` if most steps are uneven."""
    if len(pairs) >= len(gaps):
        return
    a, b = gaps[0]
    raise DataError(
        f"frames are not evenly numbered: {len(gaps)} of {len(gaps) + len(pairs)} steps are"
        f" uneven; {keys[a]!r} was read as frame {numbers.shown(a)} and {keys[b]!r} as"
        f" {numbers.shown(b)}, {_advice(numbers)}"
    )


def _check_alone(keys: Sequence[str], numbers: Numbers, pairs: Sequence[tuple[int, int]]) -> None:
    """Raise `DataError` if most frames of a folder have no neighbour."""
    folders: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        folders.setdefault(key.rpartition("/")[0], []).append(index)
    paired = {index for pair in pairs for index in pair}
    for indices in folders.values():
        alone = [index for index in indices if index not in paired]
        if 2 * len(alone) <= len(indices):
            continue
        a = alone[0]
        elsewhere = [i for i in indices if numbers.read[i][0] != numbers.read[a][0]]
        if elsewhere:
            b = elsewhere[0]
            raise DataError(
                f"{len(alone)} of {len(indices)} frames of a folder have no neighbour: {keys[a]!r}"
                f" was read as frame {numbers.shown(a)} and {keys[b]!r} as {numbers.shown(b)} of"
                f" another video, {_advice(numbers)}"
            )


def _advice(numbers: Numbers) -> str:
    patterns = " and ".join(numbers.patterns[:2])
    return f"as {patterns}; give the number's place with --frame-pattern"
