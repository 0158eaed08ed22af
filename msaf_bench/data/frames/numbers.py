"""Frame numbers, read from all names of a folder in one way.

A reading splits each name into the number and the video, which is the remainder of the name.
Numbers are integers; times count nanoseconds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from msaf_bench.data.frames.values import NANO, TIMES, values
from msaf_bench.errors import DataError

EVEN = 0.9  #: share of near-equal steps from which a reading counts as even

Read = tuple[str, int]  #: video, number
Span = tuple[int, int]  #: start and end of a number in a name


class Numbers(NamedTuple):
    """A way of reading, and its result for each name."""

    kind: str  #: one of `values.KINDS`
    read: tuple[Read, ...]
    patterns: tuple[str, ...]  #: patterns for `read_given`, with `{frame}` in the number's place
    sure: bool = False  #: the reading was given, not inferred

    @property
    def unit(self) -> float:
        """Size of a unit: 1 frame, or one nanosecond in seconds."""
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
        """Share of the steps within videos that are near the usual step of their video.

        It is 0 if there are no steps, or if two frames have the same number.
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
        """Return the number of a name as text, for messages."""
        number = self.read[index][1]
        if self.unit == 1:
            return str(number)
        seconds = f"{number // NANO}.{number % NANO:09d}".rstrip("0").rstrip(".")
        return f"{seconds} s"


def distances(frames: Sequence[tuple[int, int]]) -> list[int]:
    """Return the distances between neighbours of one video, given as in `Numbers.videos`."""
    return [later - earlier for (earlier, _), (later, _) in pairwise(frames)]


def near(distance: int, step: int) -> bool:
    """Return whether a distance is a step, within a quarter of the step: time stamps jitter.

    For counters with steps of 1 to 3, only the step itself is near.
    """
    return 4 * abs(distance - step) <= step


def step_of(steps: Sequence[int]) -> int:
    """Return the step of one video.

    It is the shortest distance, or the usual one if most are near it and only a few are shorter.
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

    Args:
        keys: the names.
        kind: one of `values.KINDS`.
        spans: the place of the number in each name.
        others: further places to ignore. The remainder of a name is the video.
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
    """Return the error for names with several equally good readings."""
    readings = " or ".join(
        f"{way.shown(0)} and {way.shown(-1)} ({way.patterns[0]})" for way in ways
    )
    return DataError(
        f"the frame number is ambiguous: in {names[0]!r} and {names[-1]!r} it could be"
        f" {readings}; choose with --frame-pattern"
    )
