"""The number of a frame, read from its name: one way for all names of a folder, inferred from them
or given.

A way of reading splits a name into the video, which is all but the number, and the number. The
number is the field that varies: decimal, hexadecimal, seconds with a fraction, a date or the time
of day. Numbers are whole: times count nanoseconds.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import median_low
from typing import NamedTuple

from msaf_bench.data.frames.values import CLOCK, DATE, FIELDS, NANO, TIMES, is_date, values
from msaf_bench.errors import DataError, UsageError

#: share of the steps that must be alike for a way of reading to be taken on that evidence
EVEN = 0.9
_DAY = 24 * 3600 * NANO
_LETTERS = 4  # endings, one of them none, that make numbers look hexadecimal

_DIGITS = re.compile(r"[0-9]+")
_DECIMALS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_CITYSCAPES = re.compile(r"(?:.*/)?[A-Za-z-]+_\d{6}_(\d{6})(?![^_])[^/]*")
_EPOCH = re.compile(r"1\d{9}")  # seconds since 1970, until 2033

Read = tuple[str, int]  # video, number
Span = tuple[int, int]


class _Field(NamedTuple):
    """A number in names that are alike but for their numbers."""

    kind: str
    spans: tuple[Span, ...]  #: its place in each name
    texts: tuple[str, ...]


_Choice = tuple[_Field, ...]  # the number, and what grows with it


class Numbers(NamedTuple):
    """What a way of reading says of each name."""

    kind: str  #: of `frame_values.KINDS`
    read: tuple[Read, ...]
    patterns: tuple[str, ...]  #: with `{frame}` in the number's place, as `read_given` takes them
    sure: bool = False  #: the way was given

    @property
    def unit(self) -> float:
        """What 1 is worth: a frame, or seconds."""
        return 1 / NANO if self.kind in TIMES else 1

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
        return (
            str(number)
            if self.unit == 1
            else f"{number // NANO}.{number % NANO:09d}".rstrip("0").rstrip(".") + " s"
        )


def near(distance: int, step: int) -> bool:
    """Whether a distance is a step, off by a quarter of it at most: time stamps jitter. Of counters
    by 1 to 3 that is the step itself.
    """
    return 4 * abs(distance - step) <= step


def step_of(distances: Sequence[int]) -> int:
    """The step of one video's distances: the shortest one, or the usual one if most are it and a
    few are shorter.
    """
    least = min(distances)
    shortest = median_low([d for d in distances if 2 * d <= 3 * least])
    usual = median_low(distances)
    count = sum(near(d, usual) for d in distances)
    return (
        usual
        if 2 * count > len(distances) and count > sum(near(d, shortest) for d in distances)
        else shortest
    )


def read_numbers(keys: Sequence[str]) -> Numbers:
    """The way to read these names that makes the fewest videos of them. Raises `DataError` where
    two ways are as good.
    """
    snippets = [match.span(1) for key in keys if (match := _CITYSCAPES.fullmatch(key))]
    if keys and len(snippets) == len(keys):
        return _by_span(keys, "frame", snippets)
    dates = _dates(keys)
    whole = [way for way in (dates, _hexadecimal(keys)) if way]
    try:
        decimal, unclear = _decimal(keys), None
    except DataError as error:
        decimal, unclear = None, error
    ways = [*whole, *([decimal] if decimal else [])]
    clock = None if dates else _clock(keys, min(map(_videos, ways), default=len(keys)))
    if clock:
        return clock
    if not decimal:
        if not whole and unclear:
            raise unclear
        return min(whole, key=_videos)
    better = [
        way
        for way in whole
        if _videos(way) < _videos(decimal)
        or (way.kind == "date" and _videos(way) == _videos(decimal))
    ]
    if better:
        return min(better, key=_videos)
    _check_letters(keys, decimal)
    return decimal


def read_given(keys: Sequence[str], pattern: str) -> Numbers:
    """The numbers that a pattern says: names with one of `{frame}`, `{hex}`, `{seconds}`, `{date}`,
    `{clock}` in the number's place.

    `*` stands for what tells videos apart, `{any}` for what means nothing. The pattern is matched
    with the last part of each path, or with the whole path where it has a slash. Raises
    `UsageError` for a pattern without such a field, `DataError` for the first name that it does not
    match.
    """
    parts = re.split(r"\{(\w+)\}|(\*)", pattern)
    fields = [field for field in parts[1::3] if field and field != "any"]
    if len(fields) != 1 or fields[0] not in FIELDS:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise UsageError(
            f"--frame-pattern {pattern!r}: needs one of {known} in the number's place, as in"
            " 'img_{frame}_v2'"
        )
    (kind,) = fields
    wanted = "" if "/" in pattern else "(.*/)?"
    for literal, field, star in zip(
        parts[::3], (*parts[1::3], None), (*parts[2::3], None), strict=True
    ):
        wanted += re.escape(literal) + (
            "(.*?)"
            if star
            else ".*?"
            if field == "any"
            else f"(?P<number>{FIELDS[kind]})"
            if field
            else ""
        )
    videos, texts = list[str](), list[str]()
    for key in keys:
        match = re.fullmatch(wanted, key)
        if not match or (kind == "date" and not is_date(match["number"])):
            raise DataError(
                f"{key!r} does not match --frame-pattern {pattern!r}; write * where names differ"
                " otherwise"
            )
        number = match.span("number")
        around = [
            text
            for i, text in enumerate(match.groups(), 1)
            if not (number[0] <= match.start(i) and match.end(i) <= number[1])
        ]
        videos.append("\0".join(text or "" for text in around))
        texts.append(match["number"])
    return Numbers(
        kind, tuple(zip(videos, values(kind, texts), strict=True)), (pattern,), sure=True
    )


def _by_span(
    keys: Sequence[str], kind: str, spans: Sequence[Span], others: Sequence[Sequence[Span]] = ()
) -> Numbers:
    """The numbers at these places; what is around is the video, but for other places, which mean
    nothing.
    """
    videos = [
        _with(key, {at: f"{{{kind}}}"} | {each[i]: "{any}" for each in others})
        for i, (key, at) in enumerate(zip(keys, spans, strict=True))
    ]
    numbers = values(kind, [key[slice(*at)] for key, at in zip(keys, spans, strict=True)])
    patterns = tuple(dict.fromkeys(video.rpartition("/")[2] for video in videos))
    return Numbers(kind, tuple(zip(videos, numbers, strict=True)), patterns)


def _with(key: str, texts: Mapping[Span, str]) -> str:
    """A name with other texts in these places."""
    for (start, end), text in sorted(texts.items(), reverse=True):
        key = key[:start] + text + key[end:]
    return key


def _videos(way: Numbers) -> int:
    return len({video for video, _ in way.read})


def _evenness(way: Numbers) -> float:
    """The share of the steps within videos that are alike; 0 where there is none, or two frames
    have one number.
    """
    runs = [
        [b - a for (a, _), (b, _) in pairwise(frames)]
        for frames in way.videos.values()
        if len(frames) > 1
    ]
    flat = [distance for run in runs for distance in run]
    if not flat or not all(flat):
        return 0
    return sum(
        near(distance, step) for run in runs for step in [step_of(run)] for distance in run
    ) / len(flat)


def _dates(keys: Sequence[str]) -> Numbers | None:
    found = [DATE.search(key, key.rfind("/") + 1) for key in keys]
    if not all(match and is_date(match[0]) for match in found):
        return None
    way = _by_span(keys, "date", [match.span() for match in found if match])
    return way if way.read and 2 * _videos(way) <= len(keys) else None


def _clock(keys: Sequence[str], most: int) -> Numbers | None:
    """Hour, minute and second, where they make fewer videos than `most` and go on evenly from one
    minute to the next.

    Raises `DataError` where all minutes are as long: clips of 60 frames look like that too.
    """
    found = [
        [match for i in range(key.rfind("/") + 1, len(key)) if (match := CLOCK.match(key, i))]
        for key in keys
    ]
    if len({len(matches) for matches in found}) != 1:
        return None
    read = list[tuple[Numbers, Numbers]]()  # as the time of day, and as frames of many short videos
    for matches in zip(*found, strict=True):
        way = _by_span(keys, "clock", [match.span() for match in matches])
        varying = [group for group in (1, 2, 3, 5) if len({match[group] for match in matches}) > 1]
        if (
            not varying
            or any(match[5] is None for match in matches if varying[-1] == 5)
            or _videos(way) >= most
        ):
            continue
        within = _by_span(keys, "frame", [match.span(varying[-1]) for match in matches])
        if max(len(match[5] or "") for match in matches) not in (1, 2) and _goes_on(way, within):
            read.append((way, within))
    if not read:
        return None
    way, within = min(read, key=lambda ways: _videos(ways[0]))
    if len(set(map(len, within.videos.values()))) == 1:
        raise DataError(_ambiguous(keys, [way, within]))
    _check_midnight(keys, way)
    return way


def _check_midnight(keys: Sequence[str], way: Numbers) -> None:
    """Raises `DataError` where frames go on from the end of a day to the start of the next, which
    the time of day does not tell.
    """
    order = sorted(range(len(keys)), key=lambda index: way.read[index][1])
    runs = [[b - a for (a, _), (b, _) in pairwise(frames)] for frames in way.videos.values()]
    step = max((step_of(run) for run in runs if run), default=0)
    first, last = order[0], order[-1]
    over = way.read[first][1] < step and way.read[last][1] + step >= _DAY
    if over and not (len(runs) == 1 and all(near(distance, step) for distance in runs[0])):
        read = (
            f"{keys[last]!r} was read as {way.shown(last)} and {keys[first]!r} as"
            f" {way.shown(first)} of a day"
        )
        raise DataError(
            f"frames go on past midnight: {read}; make a folder for each day, or say with"
            " --frame-pattern where the number is"
        )


def _check_letters(keys: Sequence[str], decimal: Numbers) -> None:
    """Decimal numbers with nothing behind them or any of several letters a to f. Raises
    `DataError`: they may be hexadecimal.
    """
    behind: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for index, (video, _) in enumerate(decimal.read):
        match = re.fullmatch(r"(.*\{frame\})([a-f]?|[A-F]?)(?![A-Za-z])(.*)", video)
        if match:
            behind[match[1], match[3]].setdefault(match[2], index)
    for found in behind.values():
        if "" in found and len(found) >= _LETTERS:
            a, b, *_ = sorted(found.values())
            read = (
                f"{keys[a]!r} was read as frame {decimal.shown(a)} and {keys[b]!r} as"
                f" {decimal.shown(b)} of another video"
            )
            raise DataError(
                f"the numbers of frames may be hexadecimal: {read}; say with --frame-pattern, as in"
                " 'img_{hex}'"
            )


def _goes_on(way: Numbers, within: Numbers) -> bool:
    """Whether most steps of one way that lead from one video of the other to the next are as long
    as the rest, or half as long again.
    """
    across = list[bool]()
    for frames in way.videos.values():
        run = [b - a for (a, _), (b, _) in pairwise(frames)]
        step = step_of(run) if run else 0
        borders = (
            within.read[before][0] != within.read[after][0]
            for (_, before), (_, after) in pairwise(frames)
        )
        across += [
            2 * distance <= 3 * step
            for distance, border in zip(run, borders, strict=True)
            if border
        ]
    return bool(across) and 2 * sum(across) >= len(across)


def _hexadecimal(keys: Sequence[str]) -> Numbers | None:
    """Where what varies in each folder has letters a to f as well as digits, and steps are even.

    Of several videos in a folder it is one word that varies; it then counts from 9 to a, or on from
    f.
    """
    way = _hexadecimal_in(keys, [key.rpartition("/")[0] for key in keys])
    if way:
        return way
    words = [re.split(r"([-_. /]+)", key) for key in keys]
    count = len(words[0]) if words else 0
    if any(len(each) != count for each in words):
        return None
    ways = [
        _hexadecimal_in(keys, ["".join([*each[:i], "*", *each[i + 1 :]]) for each in words])
        for i in range(0, count, 2)
    ]
    return min((way for way in ways if way and _carries(way, keys)), key=_videos, default=None)


def _carries(way: Numbers, keys: Sequence[str]) -> bool:
    """Whether a video of hexadecimal numbers has some that end in a digit and some that end in a
    letter.
    """
    return any(
        {number % 16 > 9 for number, _ in frames} == {True, False} for frames in way.videos.values()
    ) and 2 * _videos(way) <= len(keys)


def _hexadecimal_in(keys: Sequence[str], groups: Sequence[str]) -> Numbers | None:
    alike: dict[str, list[str]] = defaultdict(list)
    for key, group in zip(keys, groups, strict=True):
        alike[group].append(key)
    spans: dict[str, Span] = {}
    for names in alike.values():
        start, end = _varying(names)
        spans |= {name: (max(start, name.rfind("/") + 1), len(name) - end) for name in names}
    texts = [key[slice(*spans[key])] for key in keys]
    letters = any(re.search("[A-Fa-f]", text) for text in texts)
    if not (
        letters
        and any(re.search("[0-9]", text) for text in texts)
        and all(re.fullmatch("[0-9A-Fa-f]+", text) for text in texts)
    ):
        return None
    way = _by_span(keys, "hex", [spans[key] for key in keys])
    return way if _evenness(way) >= EVEN else None


def _varying(names: Sequence[str]) -> tuple[int, int]:
    """How many characters before and after the part that varies are the same in all names; a number
    is not cut.
    """
    first, last = min(names), max(names)
    start = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    ends = [name[::-1] for name in names]
    first, last = min(ends), max(ends)
    end = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    end = min(end, min(map(len, names)) - start)
    while start and names[0][start - 1].isdigit():
        start -= 1
    while end and re.fullmatch("[0-9A-Fa-f]", names[0][len(names[0]) - end]):
        end -= 1
    return start, max(end, 0)


def _decimal(keys: Sequence[str]) -> Numbers:
    """Names that are alike but for their numbers are read alike; names without a number are a video
    in their order.
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        folder, slash, name = key.rpartition("/")
        alike[_DECIMALS.sub("#", name) if _DIGITS.search(name) else f"{folder}{slash}"].append(
            index
        )
    read, patterns, kinds = dict[int, Read](), list[str](), set[str]()
    for indices in alike.values():
        names = [keys[index] for index in indices]
        way = (
            _field(names)
            if _DIGITS.search(names[0].rpartition("/")[2])
            else Numbers("order", tuple(_in_order(names)), ("*",))
        )
        read |= dict(zip(indices, way.read, strict=True))
        patterns += way.patterns
        kinds.add(way.kind)
    kind = next((kind for kind in ("seconds", "frame") if kind in kinds), "order")
    if kind == "seconds" and "frame" in kinds:  # one unit for the folder
        read = {
            index: (video, number if "{seconds}" in video else number * NANO)
            for index, (video, number) in read.items()
        }
    return Numbers(
        kind, tuple(read[index] for index in range(len(keys))), tuple(dict.fromkeys(patterns))
    )


def _in_order(names: Sequence[str]) -> Iterable[Read]:
    return ((f"{name.rpartition('/')[0]}/*", index) for index, name in enumerate(names))


def _field(names: Sequence[str]) -> Numbers:
    """The way to read names that differ in their numbers only. Raises `DataError` where several
    fields could be the frame's number.
    """
    fields = _fields(names)
    varying = [field for field in fields if len(set(field.texts)) > 1]
    if len(varying) < 2:
        field = varying[0] if varying else fields[-1]
        return _by_span(names, field.kind, field.spans)
    joined = [
        _join(names, a, b)
        for a, b in pairwise(fields)
        if a in varying and b in varying and _is_fraction(names, a, b)
    ]
    for field in joined:
        way = _by_span(names, field.kind, field.spans)
        if _videos(way) < len(names):
            return way
    choices = _with_times(names, varying, joined) or _grown(names, _without_parts(varying, joined))
    ways = [_by_choice(names, choice) for choice in choices]
    usable = [way for way in ways if _videos(way) < len(names)]
    if not usable:
        return _together(names, [field for choice in choices for field in choice], ways)
    last = next((way for way in usable if len(choices[ways.index(way)]) > 1), usable[-1])
    if all(_videos(way) >= 2 * _videos(last) for way in usable if way is not last):
        return last._replace(
            patterns=(_starred(last, choices[ways.index(last)], choices, names[0]),)
        )
    raise DataError(_ambiguous(names, usable))


def _fields(names: Sequence[str]) -> list[_Field]:
    """The numbers in names that are alike; where some have a fraction and others do not, as 0, 0.5
    and 1 do, they are seconds.
    """
    mixed = len({_DIGITS.sub("#", name.rpartition("/")[2]) for name in names}) > 1
    spans = [
        [
            match.span()
            for match in (_DECIMALS if mixed else _DIGITS).finditer(name, name.rfind("/") + 1)
        ]
        for name in names
    ]
    fields = [_field_at(names, "frame", column) for column in zip(*spans, strict=True)]
    return [
        field._replace(kind="seconds") if any("." in text for text in field.texts) else field
        for field in fields
    ]


def _field_at(names: Sequence[str], kind: str, spans: Sequence[Span]) -> _Field:
    return _Field(
        kind, tuple(spans), tuple(name[slice(*at)] for name, at in zip(names, spans, strict=True))
    )


def _is_fraction(names: Sequence[str], whole: _Field, part: _Field) -> bool:
    """Whether two fields are seconds and their fraction: joined by a point, or seconds since 1970
    joined by another sign.
    """
    if {whole.kind, part.kind} != {"frame"}:
        return False
    between = {name[a[1] : b[0]] for name, a, b in zip(names, whole.spans, part.spans, strict=True)}
    return between == {"."} or (between <= {"_", "-"} and all(map(_EPOCH.fullmatch, whole.texts)))


def _join(names: Sequence[str], whole: _Field, part: _Field) -> _Field:
    return _field_at(
        names, "seconds", [(a, b) for (a, _), (_, b) in zip(whole.spans, part.spans, strict=True)]
    )


def _without_parts(fields: Sequence[_Field], joined: Sequence[_Field]) -> list[_Field]:
    """The fields with seconds and their fraction as one."""
    taken = list[_Field]()
    for field in sorted(
        [*joined, *fields], key=lambda field: (field.spans[0][0], -field.spans[0][1])
    ):
        if not taken or taken[-1].spans[0][1] <= field.spans[0][0]:
            taken.append(field)
    return taken


def _with_times(
    names: Sequence[str], varying: Sequence[_Field], joined: Sequence[_Field]
) -> list[_Choice]:
    """The fields where a date or a time of day is one of them, if it grows together with another
    one; else none.
    """
    for kind, written in (("date", DATE), ("clock", CLOCK)):
        found = [list(written.finditer(name, name.rfind("/") + 1)) for name in names]
        if {len(matches) for matches in found} != {1} or (
            kind == "date" and not all(is_date(matches[0][0]) for matches in found)
        ):
            continue
        time = _field_at(names, kind, [matches[0].span() for matches in found])
        fields = _without_parts(varying, [*joined, time])
        if len(fields) == 2 and time in fields and _growing_videos(names, fields, ()):
            return [_even_first(names, fields)]
        choices = _grown(names, fields)
        if any(time in choice and len(choice) > 1 for choice in choices):
            return choices
    return []


def _grown(names: Sequence[str], fields: Sequence[_Field]) -> list[_Choice]:
    """Fields that grow together in each video, such as a counter and a time stamp, are one number:
    the first one that is even.

    The video is what the fewest other fields say. Raises `DataError` where it could be several of
    them.
    """
    for count in range(1, min(3, len(fields) - 1)):  # more than two would take long
        found: dict[int, list[tuple[_Field, ...]]] = defaultdict(list)
        for others in combinations(fields, count):
            videos = _growing_videos(
                names, [field for field in fields if field not in others], others
            )
            if videos:
                found[videos].append(others)
        if found:
            (fewest, (others, *more)), *rest = sorted(found.items())
            if more or any(videos < 2 * fewest for videos, _ in rest):
                raise DataError(
                    _ambiguous(
                        names, [_by_span(names, field.kind, field.spans) for field in fields]
                    )
                )
            together = _even_first(names, [field for field in fields if field not in others])
            return sorted(
                [together, *((field,) for field in others)],
                key=lambda choice: max(field.spans[0] for field in choice),
            )
    return [(field,) for field in fields]


def _growing_videos(
    names: Sequence[str], fields: Sequence[_Field], others: Collection[_Field]
) -> int:
    """How many videos the other fields make, if these fields grow together in each of them; else 0.
    It takes three frames to tell.
    """
    numbers = list(zip(*(values(field.kind, field.texts) for field in fields), strict=True))
    groups: dict[tuple[str, ...], list[tuple[int, ...]]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[name.rpartition("/")[0], *(field.texts[index] for field in others)].append(
            numbers[index]
        )
    grow = all(
        x < y
        for group in groups.values()
        for a, b in pairwise(sorted(group))
        for x, y in zip(a, b, strict=True)
    )
    return len(groups) if grow and max(map(len, groups.values())) > 2 else 0


def _even_first(names: Sequence[str], fields: Sequence[_Field]) -> _Choice:
    """These fields with one in front: the first that is even, else the first."""
    orders = [(field, *(other for other in fields if other != field)) for field in fields]
    return next(
        (order for order in orders if _evenness(_by_choice(names, order)) >= EVEN), orders[0]
    )


def _by_choice(names: Sequence[str], choice: _Choice) -> Numbers:
    return _by_span(names, choice[0].kind, choice[0].spans, [field.spans for field in choice[1:]])


def _together(names: Sequence[str], fields: Sequence[_Field], ways: Sequence[Numbers]) -> Numbers:
    """No two names differ in one field only: if all fields grow together, they are one number."""
    alone = [
        _by_choice(names, (field, *(other for other in fields if other != field)))
        for field in fields
    ]
    even = [way for way in alone if _evenness(way) >= EVEN]
    orders = {tuple(index for frames in way.videos.values() for _, index in frames) for way in even}
    if len(orders) != 1:
        raise DataError(_ambiguous(names, ways))
    return even[0]


def _starred(way: Numbers, chosen: _Choice, choices: Sequence[_Choice], name: str) -> str:
    """The pattern of a way, with a star in place of each other field that varies."""
    texts = {
        field.spans[0]: "{any}" if choice is chosen else "*"
        for choice in choices
        for field in choice
    }
    return _with(name, texts | {chosen[0].spans[0]: f"{{{way.kind}}}"}).rpartition("/")[2]


def _ambiguous(names: Sequence[str], ways: Sequence[Numbers]) -> str:
    said = " or ".join(f"{way.shown(0)} and {way.shown(-1)} ({way.patterns[0]})" for way in ways)
    return (
        f"the number of a frame is not clear: of {names[0]!r} and {names[-1]!r} it could be {said};"
        " say which with --frame-pattern"
    )
