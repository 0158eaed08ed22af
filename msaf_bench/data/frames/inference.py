"""Inference of frame numbers: choose the reading that fits all names of a folder best.

The number is the varying field: decimal (`decimals`), hexadecimal (`hexadecimals`), a date or the
time of day (`times`).
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from msaf_bench.data.frames.decimals import read_decimals
from msaf_bench.data.frames.hexadecimals import read_hexadecimals
from msaf_bench.data.frames.numbers import Numbers, by_span
from msaf_bench.data.frames.times import read_clock, read_dates
from msaf_bench.errors import DataError

_LETTERS = 4  # so many endings, one of them empty, make numbers look hexadecimal
_CITYSCAPES = re.compile(r"(?:.*/)?[A-Za-z-]+_\d{6}_(\d{6})(?![^_])[^/]*")


def read_numbers(keys: Sequence[str]) -> Numbers:
    """Return the numbers by the reading that gives the fewest videos for these names.

    Raises `DataError` if two readings are equally good.
    """
    snippets = [match.span(1) for key in keys if (match := _CITYSCAPES.fullmatch(key))]
    if keys and len(snippets) == len(keys):
        return by_span(keys, "frame", snippets)
    dates = read_dates(keys)
    whole = [way for way in (dates, read_hexadecimals(keys)) if way]
    decimal = unclear = None
    try:
        decimal = read_decimals(keys)
    except DataError as error:
        unclear = error
    if not dates:
        ways = [*whole, decimal] if decimal else whole
        clock = read_clock(keys, min((way.video_count for way in ways), default=len(keys)))
        if clock:
            return clock
    if not decimal:
        if not whole and unclear:
            raise unclear
        return min(whole, key=_video_count)
    better = [way for way in whole if _is_better(way, decimal)]
    if better:
        return min(better, key=_video_count)
    _check_letters(keys, decimal)
    return decimal


def _video_count(way: Numbers) -> int:
    return way.video_count


def _is_better(way: Numbers, decimal: Numbers) -> bool:
    fewer = way.video_count < decimal.video_count
    return fewer or (way.kind == "date" and way.video_count == decimal.video_count)


def _check_letters(keys: Sequence[str], decimal: Numbers) -> None:
    """Raise `DataError` if decimal numbers may be hexadecimal.

    They may be if they are followed by nothing or by any of several letters a to f.
    """
    endings: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for index, (video, _) in enumerate(decimal.read):
        match = re.fullmatch(r"(.*\{frame\})([a-f]?|[A-F]?)(?![A-Za-z])(.*)", video)
        if match:
            endings[match[1], match[3]].setdefault(match[2], index)
    for first_index in endings.values():
        if "" in first_index and len(first_index) >= _LETTERS:
            a, b, *_ = sorted(first_index.values())
            raise DataError(
                f"the numbers of frames may be hexadecimal: {keys[a]!r} was read as frame"
                f" {decimal.shown(a)} and {keys[b]!r} as {decimal.shown(b)} of another video; use"
                " --frame-pattern, as in 'img_{hex}'"
            )
