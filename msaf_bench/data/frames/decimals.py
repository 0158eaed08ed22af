"""Decimal numbers and seconds in the names of frames: find the field that is the number.

Names that differ only in their numbers are read together. Their varying fields are grouped into
choices. Fields that grow together, such as a counter and a time stamp, form one choice.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations, pairwise

from msaf_bench.data.frames.fields import (
    DECIMALS,
    DIGITS,
    Field,
    field_at,
    find_fields,
    join_fractions,
    without_parts,
)
from msaf_bench.data.frames.numbers import EVEN, Numbers, Read, ambiguity, by_span, replaced
from msaf_bench.data.frames.values import CLOCK, DATE, NANO, is_date, values

_Choice = tuple[Field, ...]  # the number, and the fields that grow with it


def read_decimals(keys: Sequence[str]) -> Numbers:
    """Return decimal numbers or seconds; names without a number form a video in their order.

    Raises `DataError` if several fields could be the frame's number.
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        folder, slash, name = key.rpartition("/")
        shape = DECIMALS.sub("#", name) if DIGITS.search(name) else f"{folder}{slash}"
        alike[shape].append(index)
    read: dict[int, Read] = {}
    patterns: dict[str, None] = {}
    kinds = set[str]()
    for indices in alike.values():
        names = [keys[index] for index in indices]
        way = _read_alike(names) if DIGITS.search(names[0].rpartition("/")[2]) else _in_order(names)
        read |= dict(zip(indices, way.read, strict=True))
        patterns |= dict.fromkeys(way.patterns)
        kinds.add(way.kind)
    kind = next((kind for kind in ("seconds", "frame") if kind in kinds), "order")
    if kind == "seconds" and "frame" in kinds:  # one unit for the folder
        read = {
            index: (video, number if "{seconds}" in video else number * NANO)
            for index, (video, number) in read.items()
        }
    return Numbers(kind, tuple(read[index] for index in range(len(keys))), tuple(patterns))


def _in_order(names: Sequence[str]) -> Numbers:
    read = tuple((f"{name.rpartition('/')[0]}/*", index) for index, name in enumerate(names))
    return Numbers("order", read, ("*",))


def _read_alike(names: Sequence[str]) -> Numbers:
    """Return the numbers of names that differ only in their numbers.

    Raises `DataError` if several fields could be the frame's number.
    """
    fields = find_fields(names)
    varying = [field for field in fields if len(set(field.texts)) > 1]
    if len(varying) < 2:
        field = varying[0] if varying else fields[-1]
        return by_span(names, field.kind, field.spans)
    joined = join_fractions(names, fields, varying)
    for field in joined:
        way = by_span(names, field.kind, field.spans)
        if way.video_count < len(names):
            return way
    choices = _with_times(names, varying, joined) or _grown(names, without_parts(varying, joined))
    return _choose(names, choices)


def _choose(names: Sequence[str], choices: Sequence[_Choice]) -> Numbers:
    """Return the numbers by the choice of fields that grow together, else by the last choice.

    Raises `DataError` unless it makes at most half as many videos as any other choice.
    """
    ways = [_by_choice(names, choice) for choice in choices]
    usable = [
        (choice, way)
        for choice, way in zip(choices, ways, strict=True)
        if way.video_count < len(names)
    ]
    if not usable:
        return _together(names, [field for choice in choices for field in choice], ways)
    grown = [(choice, way) for choice, way in usable if len(choice) > 1]
    chosen, best = grown[0] if grown else usable[-1]
    others = [way for _, way in usable if way is not best]
    if any(way.video_count < 2 * best.video_count for way in others):
        raise ambiguity(names, [way for _, way in usable])
    return best._replace(patterns=(_starred(best, chosen, choices, names[0]),))


def _with_times(
    names: Sequence[str], varying: Sequence[Field], joined: Sequence[Field]
) -> list[_Choice]:
    """Return the choices with a date or a time of day as one field.

    Returns an empty list unless that field grows together with another one.
    """
    for kind, written in (("date", DATE), ("clock", CLOCK)):
        matches = [list(written.finditer(name, name.rfind("/") + 1)) for name in names]
        if any(len(of_name) != 1 for of_name in matches):
            continue
        if kind == "date" and not all(is_date(match[0]) for (match,) in matches):
            continue
        time = field_at(names, kind, [match.span() for (match,) in matches])
        fields = without_parts(varying, [*joined, time])
        if len(fields) == 2 and time in fields and _growing_videos(names, fields, ()):
            return [_even_first(names, fields)]
        choices = _grown(names, fields)
        if any(time in choice and len(choice) > 1 for choice in choices):
            return choices
    return []


def _grown(names: Sequence[str], fields: Sequence[Field]) -> list[_Choice]:
    """Return the fields as choices.

    Fields that grow together in each video, such as a counter and a time stamp, form one choice,
    with the first even field in front. The smallest set of other fields identifies the videos.
    Raises `DataError` if several sets of fields qualify.
    """
    for count in range(1, min(3, len(fields) - 1)):  # more than two would take too long
        candidates: dict[int, list[tuple[Field, ...]]] = defaultdict(list)
        for others in combinations(fields, count):
            growing = [field for field in fields if field not in others]
            videos = _growing_videos(names, growing, others)
            if videos:
                candidates[videos].append(others)
        if not candidates:
            continue
        fewest = min(candidates)
        others, *as_good = candidates[fewest]
        if as_good or any(fewest < videos < 2 * fewest for videos in candidates):
            raise ambiguity(names, [by_span(names, field.kind, field.spans) for field in fields])
        together = _even_first(names, [field for field in fields if field not in others])
        alone = [(field,) for field in others]
        return sorted([together, *alone], key=_last_start)
    return [(field,) for field in fields]


def _last_start(choice: _Choice) -> tuple[int, int]:
    return max(field.spans[0] for field in choice)


def _growing_videos(
    names: Sequence[str], fields: Sequence[Field], others: Collection[Field]
) -> int:
    """Return the number of videos made by the other fields if `fields` grow together in each.

    Returns 0 otherwise. At least three frames are needed to decide.
    """
    numbers = list(zip(*(values(field.kind, field.texts) for field in fields), strict=True))
    groups: dict[tuple[str, ...], list[tuple[int, ...]]] = defaultdict(list)
    for index, name in enumerate(names):
        group = (name.rpartition("/")[0], *(field.texts[index] for field in others))
        groups[group].append(numbers[index])
    if max(map(len, groups.values())) < 3:
        return 0
    for group in groups.values():
        for earlier, later in pairwise(sorted(group)):
            if any(a >= b for a, b in zip(earlier, later, strict=True)):
                return 0
    return len(groups)


def _even_first(names: Sequence[str], fields: Sequence[Field]) -> _Choice:
    """Return the fields with the first even one in front, or unchanged if none is even."""
    orders = _orders(fields)
    for order in orders:
        if _by_choice(names, order).evenness >= EVEN:
            return order
    return orders[0]


def _orders(fields: Sequence[Field]) -> list[_Choice]:
    """Return one order of the fields per field, with that field in front."""
    return [(field, *(other for other in fields if other != field)) for field in fields]


def _by_choice(names: Sequence[str], choice: _Choice) -> Numbers:
    number, *others = choice
    return by_span(names, number.kind, number.spans, [field.spans for field in others])


def _together(names: Sequence[str], fields: Sequence[Field], ways: Sequence[Numbers]) -> Numbers:
    """Return the numbers if all fields grow together.

    No two names differ in one field only. Raises `DataError` if the fields do not grow together.
    """
    orders = [_by_choice(names, order) for order in _orders(fields)]
    even = [way for way in orders if way.evenness >= EVEN]
    sequences = {
        tuple(index for frames in way.videos.values() for _, index in frames) for way in even
    }
    if len(sequences) != 1:
        raise ambiguity(names, ways)
    return even[0]


def _starred(way: Numbers, chosen: _Choice, choices: Sequence[_Choice], name: str) -> str:
    """Return the pattern of a reading, with a star in place of each other varying field."""
    texts = {field.spans[0]: "*" for choice in choices for field in choice}
    texts |= {field.spans[0]: "{any}" for field in chosen}
    texts[chosen[0].spans[0]] = f"{{{way.kind}}}"
    return replaced(name, texts).rpartition("/")[2]
