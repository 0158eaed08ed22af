"""Dates and times of day in the names of frames."""

import re
from collections.abc import Sequence
from itertools import pairwise

from msaf_bench.data.frames.numbers import Numbers, ambiguity, by_span, distances, near, step_of
from msaf_bench.data.frames.values import CLOCK, DATE, NANO, is_date
from msaf_bench.errors import DataError

_DAY = 24 * 3600 * NANO
_HOUR, _MINUTE, _SECOND, _FRACTION = 1, 2, 3, 5  # groups of `CLOCK`


def read_dates(keys: Sequence[str]) -> Numbers | None:
    """Return the numbers by the date in each name.

    Returns None without dates, or if they give videos of fewer than two frames on average.
    """
    matches = [DATE.search(key, key.rfind("/") + 1) for key in keys]
    if not all(match and is_date(match[0]) for match in matches):
        return None
    way = by_span(keys, "date", [match.span() for match in matches if match])
    return way if way.read and 2 * way.video_count <= len(keys) else None


def read_clock(keys: Sequence[str], most: int) -> Numbers | None:
    """Return the numbers by hour, minute and second.

    Returns None unless they give fewer videos than `most` and continue evenly from one minute to
    the next.

    Raises `DataError` if all minutes have the same number of frames, because clips of 60 frames
    look the same, and if frames continue past midnight.
    """
    candidates = [_clocks_in(key) for key in keys]
    if len({len(matches) for matches in candidates}) != 1:
        return None
    readings = [_clock_and_frames(keys, matches) for matches in zip(*candidates, strict=True)]
    usable = [
        (clock, frames)
        for clock, frames in (reading for reading in readings if reading)
        if clock.video_count < most and _goes_on(clock, frames)
    ]
    if not usable:
        return None
    clock, frames = min(usable, key=lambda reading: reading[0].video_count)
    if len({len(video) for video in frames.videos.values()}) == 1:
        raise ambiguity(keys, [clock, frames])
    _check_midnight(keys, clock)
    return clock


def _clocks_in(key: str) -> list[re.Match[str]]:
    """Return the possible times of day in a name, one per start position."""
    matches = (CLOCK.match(key, start) for start in range(key.rfind("/") + 1, len(key)))
    return [match for match in matches if match]


def _clock_and_frames(
    keys: Sequence[str], matches: Sequence[re.Match[str]]
) -> tuple[Numbers, Numbers] | None:
    """Return the matches read as times of day, and as frames of many short videos.

    The second reading uses the last varying group. Returns None if that group is missing in some
    names, or is a fraction of 1 or 2 digits.
    """
    groups = (_HOUR, _MINUTE, _SECOND, _FRACTION)
    varying = [group for group in groups if len({match[group] for match in matches}) > 1]
    if not varying:
        return None
    last = varying[-1]
    if last == _FRACTION and any(match[_FRACTION] is None for match in matches):
        return None
    if max(len(match[_FRACTION] or "") for match in matches) in (1, 2):
        return None
    clock = by_span(keys, "clock", [match.span() for match in matches])
    return clock, by_span(keys, "frame", [match.span(last) for match in matches])


def _goes_on(clock: Numbers, frames: Numbers) -> bool:
    """Return whether `clock` continues evenly across most boundaries between videos of `frames`.

    A step across a boundary may be up to half as long again as the usual step.
    """
    across = regular = 0
    for video in clock.videos.values():
        steps = distances(video)
        usual = step_of(steps) if steps else 0
        for distance, ((_, before), (_, after)) in zip(steps, pairwise(video), strict=True):
            if frames.read[before][0] != frames.read[after][0]:
                across += 1
                regular += 2 * distance <= 3 * usual
    return across > 0 and 2 * regular >= across


def _check_midnight(keys: Sequence[str], clock: Numbers) -> None:
    """Raise `DataError` if frames continue from the end of a day to the start of the next.

    The time of day alone cannot tell the days apart.
    """
    order = sorted(range(len(keys)), key=lambda index: clock.read[index][1])
    steps = [distances(video) for video in clock.videos.values()]
    longest = max((step_of(of_video) for of_video in steps if of_video), default=0)
    first, last = order[0], order[-1]
    if clock.read[first][1] >= longest or clock.read[last][1] + longest < _DAY:
        return
    if len(steps) == 1 and all(near(distance, longest) for distance in steps[0]):
        return  # the frames cover a whole day
    raise DataError(
        f"frames continue past midnight: {keys[last]!r} was read as {clock.shown(last)} and"
        f" {keys[first]!r} as {clock.shown(first)} of a day; make one folder per day, or give"
        " the number's place with --frame-pattern"
    )
