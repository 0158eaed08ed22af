"""Fields: the numbers in names that differ only in their numbers."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from msaf_bench.data.frames.numbers import Span

DIGITS = re.compile(r"[0-9]+")
DECIMALS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_EPOCH = re.compile(r"1\d{9}")  # seconds since 1970, until 2033


class Field(NamedTuple):
    """One number in each name."""

    kind: str
    spans: tuple[Span, ...]  #: start and end in each name
    texts: tuple[str, ...]


def find_fields(names: Sequence[str]) -> list[Field]:
    """Return the numbers in names.

    If only some have a fraction, as in 0, 0.5 and 1, they are seconds.
    """
    mixed = len({DIGITS.sub("#", name.rpartition("/")[2]) for name in names}) > 1
    written = DECIMALS if mixed else DIGITS
    spans = [
        [match.span() for match in written.finditer(name, name.rfind("/") + 1)] for name in names
    ]
    fields = [field_at(names, "frame", column) for column in zip(*spans, strict=True)]
    return [
        field._replace(kind="seconds") if any("." in text for text in field.texts) else field
        for field in fields
    ]


def field_at(names: Sequence[str], kind: str, spans: Sequence[Span]) -> Field:
    """Return the field at these places of the names."""
    texts = tuple(name[slice(*at)] for name, at in zip(names, spans, strict=True))
    return Field(kind, tuple(spans), texts)


def join_fractions(
    names: Sequence[str], fields: Sequence[Field], varying: Sequence[Field]
) -> list[Field]:
    """Return each pair of varying neighbouring fields of seconds and fraction as one field."""
    joined: list[Field] = []
    for whole, part in pairwise(fields):
        if whole in varying and part in varying and _is_fraction(names, whole, part):
            spans = [
                (start, end) for (start, _), (_, end) in zip(whole.spans, part.spans, strict=True)
            ]
            joined.append(field_at(names, "seconds", spans))
    return joined


def _is_fraction(names: Sequence[str], whole: Field, part: Field) -> bool:
    """Return whether two fields are seconds and their fraction.

    They are joined by a point; seconds since 1970 may be joined by another sign.
    """
    if {whole.kind, part.kind} != {"frame"}:
        return False
    between = {name[a[1] : b[0]] for name, a, b in zip(names, whole.spans, part.spans, strict=True)}
    if between == {"."}:
        return True
    return between <= {"_", "-"} and all(_EPOCH.fullmatch(text) for text in whole.texts)


def without_parts(fields: Sequence[Field], joined: Sequence[Field]) -> list[Field]:
    """Return the fields in the order of the names, with joined fields in place of their parts."""
    taken = list[Field]()
    for field in sorted(
        [*joined, *fields], key=lambda field: (field.spans[0][0], -field.spans[0][1])
    ):
        if not taken or taken[-1].spans[0][1] <= field.spans[0][0]:
            taken.append(field)
    return taken
