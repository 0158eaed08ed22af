"""Frames of several videos in one folder: which of them follow each other."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_NUMBER = re.compile(r"\d+(?![0-9A-Za-z])")  # "000294" of frankfurt_000000_000294_leftImg8bit, "07959" of 0016E5_07959


class Neighbours(NamedTuple):
    """Which frames follow each other, by index."""

    pairs: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]  #: neighbours in a video between whose numbers there are more than the video's step
    steps: tuple[int, ...]  #: the steps between the numbers of pairs that occur; none where names have no number


def neighbours(keys: Sequence[str]) -> Neighbours:
    """Frames named by their path -> the pairs that follow each other.

    A name's last number that no letter follows is the frame's; frames of one video differ in it only. They are ordered by it, and a
    pair is as far apart as the closest two frames of the video; what is farther apart is a gap. Frames of one folder whose names have
    no number are a video in natural order.
    """
    videos: dict[str, list[tuple[int, int]]] = {}
    for index, key in enumerate(keys):
        folder, _, name = key.rpartition("/")
        numbers = list(_NUMBER.finditer(name))
        last = numbers[-1] if numbers else None
        video = f"{name[: last.start()]}#{name[last.end() :]}" if last else ""
        videos.setdefault(f"{folder}/{video}", []).append((int(last[0]) if last else -1, index))
    pairs, gaps, steps = list[tuple[int, int]](), list[tuple[int, int]](), set[int]()
    for frames in videos.values():
        frames.sort()
        distances = [after - before for (before, _), (after, _) in pairwise(frames)]
        step = min((distance for distance in distances if distance), default=0)
        for distance, ((_, before), (_, after)) in zip(distances, pairwise(frames), strict=True):
            (pairs if distance == step else gaps).append((before, after))
        steps |= {step} - {0}
    return Neighbours(tuple(pairs), tuple(gaps), tuple(sorted(steps)))
