"""Hexadecimal numbers in the names of frames."""

import re
from collections import defaultdict
from collections.abc import Sequence

from msaf_bench.data.frames.numbers import EVEN, Numbers, Span, by_span


def read_hexadecimals(keys: Sequence[str]) -> Numbers | None:
    """Return the numbers by hexadecimal digits; None if they are not clearly hexadecimal.

    The varying part of each folder must contain letters a to f as well as digits, and the steps
    must be even. If a folder holds several videos, one word of the names varies, and it must count
    from 9 to a, or on from f.
    """
    way = _varying_in(keys, [key.rpartition("/")[0] for key in keys])
    if way:
        return way
    words = [re.split(r"([-_. /]+)", key) for key in keys]
    count = len(words[0]) if words else 0
    if any(len(each) != count for each in words):
        return None
    ways = [
        _varying_in(keys, ["".join([*each[:i], "*", *each[i + 1 :]]) for each in words])
        for i in range(0, count, 2)
    ]
    counting = [way for way in ways if way and _carries(way, keys)]
    return min(counting, key=lambda way: way.video_count, default=None)


def _carries(way: Numbers, keys: Sequence[str]) -> bool:
    """Return whether a video has numbers that end in a digit and numbers that end in a letter."""
    if 2 * way.video_count > len(keys):
        return False
    for frames in way.videos.values():
        letters = [number % 16 > 9 for number, _ in frames]
        if any(letters) and not all(letters):
            return True
    return False


def _varying_in(keys: Sequence[str], groups: Sequence[str]) -> Numbers | None:
    """Return the numbers by the varying part of the names of each group."""
    by_group: dict[str, list[str]] = defaultdict(list)
    for key, group in zip(keys, groups, strict=True):
        by_group[group].append(key)
    spans: dict[str, Span] = {}
    for names in by_group.values():
        start, end = _common(names)
        spans |= {name: (max(start, name.rfind("/") + 1), len(name) - end) for name in names}
    texts = [key[slice(*spans[key])] for key in keys]
    hexadecimal = (
        all(re.fullmatch("[0-9A-Fa-f]+", text) for text in texts)
        and any(re.search("[A-Fa-f]", text) for text in texts)
        and any(re.search("[0-9]", text) for text in texts)
    )
    if not hexadecimal:
        return None
    way = by_span(keys, "hex", [spans[key] for key in keys])
    return way if way.evenness >= EVEN else None


def _common(names: Sequence[str]) -> tuple[int, int]:
    """Return the lengths of the common start and the common end of all names.

    Numbers are not cut.
    """
    start = _common_start(names)
    end = _common_start([name[::-1] for name in names])
    end = min(end, min(map(len, names)) - start)
    while start and names[0][start - 1].isdigit():
        start -= 1
    while end and re.fullmatch("[0-9A-Fa-f]", names[0][len(names[0]) - end]):
        end -= 1
    return start, max(end, 0)


def _common_start(names: Sequence[str]) -> int:
    first, last = min(names), max(names)
    for i, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return i
    return min(len(first), len(last))
