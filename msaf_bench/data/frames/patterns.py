"""Frame numbers by a given pattern, `--frame-pattern`."""

import re
from collections.abc import Sequence

from msaf_bench.data.frames.numbers import Numbers
from msaf_bench.data.frames.values import FIELDS, is_date, values
from msaf_bench.errors import DataError, UsageError


def read_given(keys: Sequence[str], pattern: str) -> Numbers:
    """Return the numbers at the place of the number field in a pattern.

    The field is `{frame}`, `{hex}`, `{seconds}`, `{date}` or `{clock}`. `*` stands for text that
    identifies the video, `{any}` for text without a meaning. The pattern is matched with the last
    part of each path, or with the whole path if it contains a slash.

    Raises `UsageError` if the pattern has no such field, `DataError` for the first name that does
    not match.
    """
    kind, expression = _compiled(pattern)
    videos, texts = list[str](), list[str]()
    for key in keys:
        match = expression.fullmatch(key)
        if not match or (kind == "date" and not is_date(match["number"])):
            raise DataError(
                f"{key!r} does not match --frame-pattern {pattern!r}; write * where names differ"
                " otherwise"
            )
        start, end = match.span("number")
        around = [
            text or ""
            for i, text in enumerate(match.groups(), 1)
            if match.start(i) < start or end < match.end(i)
        ]
        videos.append("\0".join(around))
        texts.append(match["number"])
    numbers = values(kind, texts)
    return Numbers(kind, tuple(zip(videos, numbers, strict=True)), (pattern,), sure=True)


def _compiled(pattern: str) -> tuple[str, re.Pattern[str]]:
    """Return the kind of number in a pattern, and its regular expression with a group `number`."""
    literals_and_fields = re.split(r"(\{\w+\}|\*)", pattern)
    expression = "" if "/" in pattern else "(.*/)?"
    kinds = list[str]()
    for i, text in enumerate(literals_and_fields):
        if i % 2 == 0:
            expression += re.escape(text)
        elif text == "*":
            expression += "(.*?)"
        elif text == "{any}":
            expression += ".*?"
        else:
            kinds.append(text[1:-1])
            expression += f"(?P<number>{FIELDS.get(kinds[-1], '')})"
    if len(kinds) != 1 or kinds[0] not in FIELDS:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise UsageError(
            f"--frame-pattern {pattern!r}: needs one of {known} in the number's place, as in"
            " 'img_{frame}_v2'"
        )
    return kinds[0], re.compile(expression)
