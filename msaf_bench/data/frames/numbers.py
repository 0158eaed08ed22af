"""The number of each frame, read from names by one way for all of them.

A way of reading splits a name into the number and the video, which is the rest of the name. Numbers
are whole: times count nanoseconds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from msaf_bench.data.frames.values import NANO, TIMES, values
from msaf_bench.errors import DataError

EVEN = 0.9  #: share of the steps that must be alike for a way of reading to be taken as even

Read = tuple[str, int]  #: video, number
Span = tuple[int, int]  #: start and end of a number in a name


class Numbers(NamedTuple):
    """A way of reading, and what it reads from each name."""

    kind: str  #: one of `values.KINDS`
    read: tuple[Read, ...]
    patterns: tuple[str, ...]  #: with `{frame}` in the number's place, as `read_given` takes them
    sure: bool = False  #: the way was given, not inferred

    @property
    def unit(self) -> float:
        """The value of number 1: a frame, or seconds."""
        return 1 / NANO if self.kind in TIMES else 1

    @property
    def videos(self) -> dict[str, list[tuple[int, int]]]:
        """Number and index of the frames of each video, in order."""
        by_video: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for index, (video, number) in enumerate(self.read):
            by_video[video].append((number, index))
        return {video: sorted(frames) for video, frames in by_video.items()}

    @property
    def video_count(self) -> int:
        """Number of videos."""
        return len({video for video, _ in self.read})

    @property
    def evenness(self) -> float:
        """Share of the steps within videos that are alike; 0 if there are none, or if two frames
        have one number.
        """
        alike = total = 0
        for frames in self.videos.values():
            steps = distances(frames)
            if not steps:
                continue
            if not all(steps):
                return 0
            usual = step_of(steps)
            alike += sum(near(distance, usual) for distance in steps)
            total += len(steps)
        return alike / total if total else 0

    def shown(self, index: int) -> str:
        """Return the number of a name, for messages."""
        number = self.read[index][1]
        if self.unit == 1:
            return str(number)
        seconds = f"{number // NANO}.{number % NANO:09d}".rstrip("0").rstrip(".")
        return f"{seconds} s"


def distances(frames: Sequence[tuple[int, int]]) -> list[int]:
    """Return the distances between the neighbours of one video, given as in `Numbers.videos`."""
    return [later - earlier for (earlier, _), (later, _) in pairwise(frames)]


def near(distance: int, step: int) -> bool:
    """Return whether a distance is a step, off by a quarter of it at most: time stamps jitter.

    For counters with steps of 1 to 3 only the step itself is near.
    """
    return 4 * abs(distance - step) <= step


def step_of(steps: Sequence[int]) -> int:
    """Return the step of one video's distances: the shortest one, or the usual one if most are
    near it and a few are shorter.
    """
    least = min(steps)
    shortest = median_low([d for d in steps if 2 * d <= 3 * least])
    usual = median_low(steps)
    near_usual = sum(near(d, usual) for d in steps)
    near_shortest = sum(near(d, shortest) for d in steps)
    if 2 * near_usual > len(steps) and near_usual > near_shortest:
        return usual
    return shortest


def by_span(
    keys: Sequence[str], kind: str, spans: Sequence[Span], others: Sequence[Sequence[Span]] = ()
) -> Numbers:
    """Return the numbers at these places of the names.

    The rest of a name is the video, except for the places `others`, which mean nothing.
    """
    videos = [
        replaced(key, {at: f"{{{kind}}}"} | {each[i]: "{any}" for each in others})
        for i, (key, at) in enumerate(zip(keys, spans, strict=True))
    ]
    numbers = values(kind, [key[slice(*at)] for key, at in zip(keys, spans, strict=True)])
    patterns = tuple(dict.fromkeys(video.rpartition("/")[2] for video in videos))
    return Numbers(kind, tuple(zip(videos, numbers, strict=True)), patterns)


def replaced(key: str, texts: Mapping[Span, str]) -> str:
    """Return a name with other texts in these places."""
    for (start, end), text in sorted(texts.items(), reverse=True):
        key = key[:start] + text + key[end:]
    return key


def ambiguity(names: Sequence[str], ways: Sequence[Numbers]) -> DataError:
    """Return the error for names that several ways read as well."""
    readings = " or ".join(
        f"{way.shown(0)} and {way.shown(-1)} ({way.patterns[0]})" for way in ways
    )
    return DataError(
        f"the number of a frame is not clear: of {names[0]!r} and {names[-1]!r} it could be"
        f" {readings}; say which with --frame-pattern"
    )
