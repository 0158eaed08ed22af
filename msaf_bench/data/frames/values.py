"""Forms of a frame number in a name, and their values."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

NANO = 10**9

_SEPARATOR = r"[-_.:T ]?"
DATE = re.compile(
    rf"(?<!\d)((?:19[7-9]|20\d)\d){_SEPARATOR}(0[1-9]|1[0-2]){_SEPARATOR}(0[1-9]|[12]\d|3[01])"
    rf"(?:{_SEPARATOR}([01]\d|2[0-3])[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)"
    rf"(?:[-_.,]?(\d{{1,9}}))?)?(?!\d)"
)
CLOCK = re.compile(
    r"(?<!\d)([01]?\d|2[0-3])[-_.:h]([0-5]?\d)[-_.:m]([0-5]?\d)(?:([-_.,])(\d{1,9}))?(?!\d)"
)
_SECONDS = re.compile(r"(\d+)([._-]?)(\d*)")
FIELDS = {
    "frame": r"(?<![0-9])([0-9]+)(?![0-9])",
    "hex": r"([0-9A-Fa-f]+)",
    "seconds": r"(?<![0-9])([0-9]+(?:[._][0-9]+)?)(?![0-9])",
    "date": f"({DATE.pattern})",
    "clock": f"({CLOCK.pattern})",
}
KINDS = {
    "frame": "decimal",
    "hex": "hexadecimal",
    "seconds": "seconds",
    "date": "date",
    "clock": "time of day",
    "order": "no number, the order of the names",
}
TIMES = ("seconds", "date", "clock")  #: kinds with values in nanoseconds


def values(kind: str, texts: Sequence[str]) -> list[int]:
    """Return the values of these texts, all read in the same way: frames, or nanoseconds."""
    return _VALUES[kind](texts)


def is_date(text: str) -> bool:
    """Return whether a text is an existing date."""
    return _date(text) is not None


def _seconds(texts: Sequence[str]) -> list[int]:
    parts = [_SECONDS.fullmatch(text).groups() for text in texts]  # pyright: ignore
    return _nanoseconds([(int(whole), sign, part) for whole, sign, part in parts])


def _clocks(texts: Sequence[str]) -> list[int]:
    parts = [CLOCK.fullmatch(text).groups() for text in texts]  # pyright: ignore
    return _nanoseconds(
        [
            (3600 * int(h) + 60 * int(m) + int(s), sign or "", part or "")
            for h, m, s, sign, part in parts
        ]
    )


def _nanoseconds(read: Sequence[tuple[int, str, str]]) -> list[int]:
    """Return the nanoseconds of (seconds, sign, part) triples.

    After a point, the part is a fraction. After another sign it is a fraction if all parts have the
    same width, as in `1305031102_500`. Otherwise it counts milli-, micro- or nanoseconds, the
    largest unit that fits the widest part, as in `1403636579_63555584`.
    """
    widths = {len(part) for _, sign, part in read if sign in ("_", "-")}
    widest = min(9, max(widths, default=9))
    width = widest if len(widths) == 1 else next(unit for unit in (3, 6, 9) if widest <= unit)
    return [
        whole * NANO
        + (int(part or 0) * 10 ** (9 - width) if sign in ("_", "-") else int(f"{part:0<9}"[:9]))
        for whole, sign, part in read
    ]


def _date(text: str) -> int | None:
    match = DATE.fullmatch(text)
    if not match:
        return None
    *day_and_time, fraction = match.groups()
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in day_and_time)
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:  # 30 February
        return None
    return int(at.timestamp()) * NANO + int(f"{fraction or 0:0<9}")


_VALUES: Mapping[str, Callable[[Sequence[str]], list[int]]] = {
    "frame": lambda texts: [int(text) for text in texts],
    "hex": lambda texts: [int(text, 16) for text in texts],
    "seconds": _seconds,
    "date": lambda texts: [_date(text) or 0 for text in texts],
    "clock": _clocks,
}
