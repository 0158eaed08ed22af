"""Frozen base model of all specs, and the types of their fields. No torch here."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
)

from msaf_bench.starting import without_place


def _at_most(limit: float, why: str) -> AfterValidator:
    """Return a validator for an upper bound, with its reason for the message.

    Much larger values are mistakes, and would only fail for lack of memory or time.
    """

    def check(value: float) -> float:
        if value > limit:
            raise ValueError(f"at most {limit:,} ({why})")
        return value

    return AfterValidator(check)


# Strict: neither `true` nor 4.0 is a count.
Count = Annotated[int, Strict(), _at_most(1_000_000_000, "no run takes more steps")]
Few = Annotated[int, Strict(), _at_most(65_536, "more would not fit into memory")]
Flag = Annotated[bool, Strict()]
Rate = Annotated[
    float, Strict(), Field(allow_inf_nan=False), _at_most(1000, "training diverges above")
]
#: how a network runs: on a whole clip, or frame by frame with a state per video
Mode = Literal["clip", "stream"]
MODES: tuple[Mode, ...] = ("clip", "stream")
Past = Literal["real", "still", "strangers", "aligned"]
LONGEST_SIDE = 32_768  #: limit for a side of a frame, in pixels
Side = Annotated[int, Strict(), Field(gt=0), _at_most(LONGEST_SIDE, "no frame has a longer side")]
Scalar = bool | int | float | str
Option = Scalar | tuple[Scalar, ...]
STREET = "street"  #: name of the procedural data set
MOST_SEEDS = 1000  #: limit for the seeds of a run; more hardly narrow the intervals
VOID = 255  #: label id of void, in every data set after reading


class Spec(BaseModel):
    """Frozen model that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def toml_keys(cls) -> tuple[str, ...]:
        """Return the keys in TOML; a short form may have other keys than the model's fields."""
        return tuple(cls.model_fields)

    def canonical(self, without: set[str] | None = None) -> str:
        """Return the content as JSON text that does not depend on the order of keys.

        Fields named in `without` are left out.
        """
        return json.dumps(
            self.model_dump(mode="json", exclude=without), sort_keys=True, separators=(",", ":")
        )


def content_hash(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sorted_pairs(value: object) -> object:
    """Return a mapping as pairs in the order of its keys; other values unchanged."""
    if isinstance(value, Mapping):
        return tuple(sorted(cast("Mapping[str, object]", value).items()))
    return value


def dotted_pairs(value: object) -> object:
    """Return a mapping as pairs in the order of its keys; other values unchanged.

    Nested mappings become dotted names, such as `rates.offset`.
    """
    if not isinstance(value, Mapping):
        return value
    flat: dict[str, object] = {}
    for name, own in cast("Mapping[str, object]", value).items():
        if isinstance(own, Mapping):
            more = cast("Mapping[str, object]", own)
            flat |= {f"{name}.{option}": content for option, content in more.items()}
        else:
            flat[name] = own
    return sorted_pairs(flat)


def ordered_pairs(value: object) -> object:
    """Return a mapping as pairs in its own order; pairs unchanged.

    Raises `ValueError` for any other value.
    """
    if isinstance(value, Mapping):
        return tuple(cast("Mapping[str, object]", value).items())
    if not isinstance(value, list | tuple):
        raise ValueError("needs a table")
    return cast("object", value)


def _kept_pairs(options: tuple[tuple[str, Option], ...]) -> list[list[Option]]:
    return [[name, without_place(value)] for name, value in options]


# Hashable mappings: read from a TOML table and kept as pairs, sorted if their order has no meaning.
Options = Annotated[
    tuple[tuple[str, Option], ...],
    BeforeValidator(sorted_pairs),
    PlainSerializer(_kept_pairs, when_used="json"),
]
#: options by dotted name
Dotted = Annotated[
    tuple[tuple[str, Option], ...],
    BeforeValidator(dotted_pairs),
    PlainSerializer(_kept_pairs, when_used="json"),
]
#: options by the name of a slot
Parts = Annotated[tuple[tuple[str, Options], ...], BeforeValidator(sorted_pairs)]
Numbers = Annotated[tuple[tuple[str, float], ...], BeforeValidator(sorted_pairs)]
Printed = Annotated[
    tuple[tuple[str, Annotated[float, Field(allow_inf_nan=False)]], ...],
    BeforeValidator(sorted_pairs),
]
Names = Annotated[tuple[tuple[str, str], ...], BeforeValidator(ordered_pairs)]
