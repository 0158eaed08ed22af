"""The number of a frame, read from its name: one way for all names of a folder, inferred from them or given.

A way of reading splits a name into the video, which is all but the number, and the number. The number is the field that varies: decimal,
hexadecimal, seconds with a fraction, or a date. Numbers are whole: seconds and dates count nanoseconds.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from msaf_bench.errors import DataError, UsageError

NANO = 10**9
EVEN = 0.9  #: share of the steps that must be alike for a way of reading to be taken on that evidence

_DIGITS = re.compile(r"[0-9]+")
_CITYSCAPES = re.compile(r"(?:.*/)?[A-Za-z-]+_\d{6}_(\d{6})(?![^_])[^/]*")
_SEPARATOR = r"[-_.:T ]?"
_DATE = re.compile(
    rf"(?<!\d)((?:19[7-9]|20\d)\d){_SEPARATOR}(0[1-9]|1[0-2]){_SEPARATOR}(0[1-9]|[12]\d|3[01])"
    rf"(?:{_SEPARATOR}([01]\d|2[0-3])[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?:[-_.,]?(\d{{1,9}}))?)?(?!\d)"
)
_EPOCH = re.compile(r"1\d{9}")  # seconds since 1970, until 2033
_FIELDS = {
    "frame": r"(?<![0-9])([0-9]+)(?![0-9])",
    "hex": r"([0-9A-Fa-f]+)",
    "seconds": r"(?<![0-9])([0-9]+(?:[._][0-9]+)?)(?![0-9])",
    "date": f"({_DATE.pattern})",
}
KINDS = {"frame": "decimal", "hex": "hexadecimal", "seconds": "seconds", "date": "date", "order": "no number, the order of the names"}

Read = tuple[str, int]  # video, number


class Numbers(NamedTuple):
    """What a way of reading says of each name."""

    kind: str  #: of `KINDS`
    read: tuple[Read, ...]
    patterns: tuple[str, ...]  #: with `{frame}` in the number's place, as `read_given` takes them
    sure: bool = False  #: the way was given, or is that of a data set

    @property
    def unit(self) -> float:
        """What 1 is worth: a frame, or seconds."""
        return 1 / NANO if self.kind in ("seconds", "date") else 1

    @property
    def videos(self) -> dict[str, list[tuple[int, int]]]:
        """Number and index of the frames of each video, in order."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for index, (video, number) in enumerate(self.read):
            found[video].append((number, index))
        return {video: sorted(frames) for video, frames in found.items()}

    def shown(self, index: int) -> str:
        """The number of a name, for messages."""
        number = self.read[index][1]
        return str(number) if self.unit == 1 else f"{number // NANO}.{number % NANO:09d}".rstrip("0").rstrip(".") + " s"


def near(distance: int, step: int) -> bool:
    """Whether a distance is a step, off by a quarter of it at most: time stamps jitter. Of counters by 1 to 3 that is the step itself."""
    return 4 * abs(distance - step) <= step


def step_of(distances: Sequence[int]) -> int:
    """The step of one video's distances: the shortest one, or the usual one if most are it and a few are shorter."""
    shortest = median_low([d for d in distances if 2 * d <= 3 * min(distances)])
    usual = median_low(distances)
    count = sum(near(d, usual) for d in distances)
    return usual if 2 * count > len(distances) and count > sum(near(d, shortest) for d in distances) else shortest


def read_numbers(keys: Sequence[str]) -> Numbers:
    """The way to read these names that makes the fewest videos of them. Raises `DataError` where two ways are as good."""
    if keys and all(map(_CITYSCAPES.fullmatch, keys)):
        return _by_span(keys, "frame", [_CITYSCAPES.fullmatch(key).span(1) for key in keys], sure=True)  # pyright: ignore[reportOptionalMemberAccess]
    whole = [way for way in (_dates(keys), _hexadecimal(keys)) if way]
    try:
        decimal = _decimal(keys)
    except DataError:
        if not whole:
            raise
        return min(whole, key=_videos)
    better = [way for way in whole if _videos(way) < _videos(decimal) or (way.kind == "date" and _videos(way) == _videos(decimal))]
    return min(better, key=_videos) if better else decimal


def read_given(keys: Sequence[str], pattern: str) -> Numbers:
    """The numbers that a pattern says: names with one of `{frame}`, `{hex}`, `{seconds}`, `{date}` in the number's place.

    `*` stands for what tells videos apart, `{any}` for what means nothing. The pattern is matched with the last part of each path, or with
    the whole path where it has a slash. Raises `UsageError` for a pattern without such a field, `DataError` for the first name that it
    does not match.
    """
    parts = re.split(r"\{(\w+)\}|(\*)", pattern)
    fields = [field for field in parts[1::3] if field and field != "any"]
    if len(fields) != 1 or fields[0] not in _FIELDS:
        known = ", ".join(f"{{{field}}}" for field in _FIELDS)
        raise UsageError(f"--frame-pattern {pattern!r}: needs one of {known} in the number's place, as in 'img_{{frame}}_v2'")
    (kind,) = fields
    wanted = "" if "/" in pattern else "(.*/)?"
    for literal, field, star in zip(parts[::3], (*parts[1::3], None), (*parts[2::3], None), strict=True):
        wanted += re.escape(literal) + ("(.*?)" if star else ".*?" if field == "any" else f"(?P<number>{_FIELDS[kind]})" if field else "")
    read = list[Read]()
    for key in keys:
        match = re.fullmatch(wanted, key)
        if not match or (kind == "date" and _date_value(match["number"]) is None):
            raise DataError(f"{key!r} does not match --frame-pattern {pattern!r}; write * where names differ otherwise")
        number = match.span("number")
        around = [text for i, text in enumerate(match.groups(), 1) if not (number[0] <= match.start(i) and match.end(i) <= number[1])]
        read.append(("\0".join(text or "" for text in around), _VALUES[kind](match["number"])))
    return Numbers(kind, tuple(read), (pattern,), sure=True)


def _by_span(keys: Sequence[str], kind: str, spans: Sequence[tuple[int, int]], *, sure: bool = False) -> Numbers:
    """The numbers at these places; what is around is the video."""
    videos = [f"{key[:start]}{{{kind}}}{key[end:]}" for key, (start, end) in zip(keys, spans, strict=True)]
    numbers = [_VALUES[kind](key[start:end]) for key, (start, end) in zip(keys, spans, strict=True)]
    patterns = tuple(dict.fromkeys(video.rpartition("/")[2] for video in videos))
    return Numbers(kind, tuple(zip(videos, numbers, strict=True)), patterns, sure)


def _seconds(text: str) -> int:
    """Nanoseconds of `1305031102.175304`; of `1403636579_63555584` the second part counts nanoseconds."""
    whole, separator, part = re.fullmatch(r"(\d+)([._-]?)(\d*)", text).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(whole) * NANO + (int(part or 0) if separator in ("_", "-") else int(f"{part:0<9}"[:9]))


def _date_value(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, part = match.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:  # 30 February
        return None
    return int(at.timestamp()) * NANO + int(f"{part or 0:0<9}")


_VALUES: Mapping[str, Callable[[str], int]] = {
    "frame": int,
    "hex": lambda text: int(text, 16),
    "seconds": _seconds,
    "date": lambda text: _date_value(text) or 0,
}


def _videos(way: Numbers) -> int:
    return len({video for video, _ in way.read})


def _evenness(way: Numbers) -> float:
    """The share of the steps within videos that are alike; 0 where there is none, or two frames have one number."""
    runs = [[b - a for (a, _), (b, _) in pairwise(frames)] for frames in way.videos.values() if len(frames) > 1]
    flat = [distance for run in runs for distance in run]
    if not flat or not all(flat):
        return 0
    return sum(near(distance, step_of(run)) for run in runs for distance in run) / len(flat)


def _dates(keys: Sequence[str]) -> Numbers | None:
    found = [_DATE.search(key, key.rfind("/") + 1) for key in keys]
    if not all(match and _date_value(match[0]) is not None for match in found):
        return None
    way = _by_span(keys, "date", [match.span() for match in found if match])
    return way if way.read and 2 * _videos(way) <= len(keys) else None


def _hexadecimal(keys: Sequence[str]) -> Numbers | None:
    """Where what varies in each folder has letters a to f as well as digits, and steps are even."""
    folders: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        folders[key.rpartition("/")[0]].append(key)
    spans: dict[str, tuple[int, int]] = {}
    for folder, names in folders.items():
        start, end = _varying(names)
        spans |= {name: (max(start, len(folder) + bool(folder)), len(name) - end) for name in names}
    texts = [key[slice(*spans[key])] for key in keys]
    letters = any(re.search("[A-Fa-f]", text) for text in texts)
    if not (letters and any(re.search("[0-9]", text) for text in texts) and all(re.fullmatch("[0-9A-Fa-f]+", text) for text in texts)):
        return None
    way = _by_span(keys, "hex", [spans[key] for key in keys])
    return way if _evenness(way) >= EVEN else None


def _varying(names: Sequence[str]) -> tuple[int, int]:
    """How many characters before and after the part that varies are the same in all names; a number is not cut."""
    first, last = min(names), max(names)
    start = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    ends = [name[::-1] for name in names]
    first, last = min(ends), max(ends)
    end = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    end = min(end, min(map(len, names)) - start)
    while start and names[0][start - 1].isdigit():
        start -= 1
    while end and re.fullmatch("[0-9A-Fa-f]", names[0][len(names[0]) - end]):
        end -= 1
    return start, max(end, 0)


def _decimal(keys: Sequence[str]) -> Numbers:
    """Names that are alike but for their numbers are read alike; names without a number are a video in their order."""
    alike: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        folder, slash, name = key.rpartition("/")
        alike[_DIGITS.sub("#", name) if _DIGITS.search(name) else f"{folder}{slash}"].append(index)
    read, patterns, kinds = dict[int, Read](), list[str](), set[str]()
    for indices in alike.values():
        names = [keys[index] for index in indices]
        way = _field(names) if _DIGITS.search(names[0].rpartition("/")[2]) else Numbers("order", tuple(_in_order(names)), ("*",))
        read |= dict(zip(indices, way.read, strict=True))
        patterns += way.patterns
        kinds.add(way.kind)
    kind = next((kind for kind in ("seconds", "frame") if kind in kinds), "order")
    if kind == "seconds" and "frame" in kinds:  # one unit for the folder
        read = {index: (video, number if "{seconds}" in video else number * NANO) for index, (video, number) in read.items()}
    return Numbers(kind, tuple(read[index] for index in range(len(keys))), tuple(dict.fromkeys(patterns)))


def _in_order(names: Sequence[str]) -> Iterable[Read]:
    return ((f"{name.rpartition('/')[0]}/*", index) for index, name in enumerate(names))


def _field(names: Sequence[str]) -> Numbers:
    """The way to read names that differ in their numbers only. Raises `DataError` where several fields could be the frame's number."""
    spans = [[match.span() for match in _DIGITS.finditer(name, name.rfind("/") + 1)] for name in names]
    fields = list(zip(*spans, strict=True))  # field -> its place in each name
    texts = [[name[slice(*at)] for name, at in zip(names, field, strict=True)] for field in fields]
    varying = [i for i, values in enumerate(texts) if len(set(values)) > 1]
    if len(varying) < 2:
        return _by_span(names, "frame", fields[varying[0] if varying else -1])
    joined = [i for i in varying[:-1] if i + 1 in varying and _is_fraction(names, fields[i], fields[i + 1], texts[i])]
    for i in joined:
        way = _by_span(names, "seconds", [(a, b) for (a, _), (_, b) in zip(fields[i], fields[i + 1], strict=True)])
        if _videos(way) < len(names):
            return way
    ways = {i: _by_span(names, "frame", fields[i]) for i in varying}
    usable = {i: way for i, way in ways.items() if _videos(way) < len(names)}
    if not usable:
        return _together(names, ways)
    last = max(usable)
    if all(_videos(way) >= 2 * _videos(usable[last]) for i, way in usable.items() if i != last):
        return _starred(usable[last], ways, last)
    raise DataError(_ambiguous(names, usable))


def _is_fraction(names: Sequence[str], whole: Sequence[tuple[int, int]], part: Sequence[tuple[int, int]], seconds: Sequence[str]) -> bool:
    """Whether two fields are seconds and their fraction: joined by a point, or seconds since 1970 joined by another sign."""
    between = {name[a[1] : b[0]] for name, a, b in zip(names, whole, part, strict=True)}
    return between == {"."} or (between <= {"_", "-"} and all(map(_EPOCH.fullmatch, seconds)))


def _together(names: Sequence[str], ways: Mapping[int, Numbers]) -> Numbers:
    """No two names differ in one field only: fields that grow together, such as a counter and a time stamp, are one number."""
    alone = {
        i: way._replace(read=tuple((name.rpartition("/")[0], n) for name, (_, n) in zip(names, way.read, strict=True)))
        for i, way in ways.items()
    }
    even = {i: way for i, way in alone.items() if _evenness(way) >= EVEN}
    orders = {tuple(index for frames in way.videos.values() for _, index in frames) for way in even.values()}
    if len(orders) != 1:
        raise DataError(_ambiguous(names, ways))
    first = min(even)
    return _starred(even[first], ways, first, "{any}")


def _starred(way: Numbers, ways: Mapping[int, Numbers], chosen: int, star: str = "*") -> Numbers:
    """The way with one pattern, a star in place of each other field that varies."""
    pattern, places = way.patterns[0], sorted(ways)
    pieces = re.split(r"([0-9]+)", pattern)
    varying = {place - (place > chosen) for place in places if place != chosen}  # the chosen field's digits are gone from the pattern
    return way._replace(patterns=("".join(star if i % 2 and i // 2 in varying else piece for i, piece in enumerate(pieces)),))


def _ambiguous(names: Sequence[str], ways: Mapping[int, Numbers]) -> str:
    said = " or ".join(f"{way.shown(0)} and {way.shown(-1)} ({way.patterns[0]})" for way in ways.values())
    return f"the number of a frame is not clear: of {names[0]!r} and {names[-1]!r} it could be {said}; say which with --frame-pattern"
