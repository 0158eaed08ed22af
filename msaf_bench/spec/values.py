"""The frozen model that all specs are, and the values that their fields take. No torch here."""

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
    """A bound with its reason: what is far beyond it is a slip of the pen, and would only end when
    memory or patience does.
    """

    def check(value: float) -> float:
        if value > limit:
            raise ValueError(f"at most {limit:,} ({why})")
        return value

    return AfterValidator(check)


# Numbers as they are written: neither `true` nor 4.0 is a count.
Count = Annotated[int, Strict(), _at_most(1_000_000_000, "no run takes more steps")]
Few = Annotated[int, Strict(), _at_most(65_536, "more fit into no memory")]
Flag = Annotated[bool, Strict()]
Rate = Annotated[
    float, Strict(), Field(allow_inf_nan=False), _at_most(1000, "nothing learns beyond")
]
#: how a network is run: on a whole clip, or frame by frame with the state of its video
Mode = Literal["clip", "stream"]
MODES: tuple[Mode, ...] = ("clip", "stream")
Past = Literal["real", "still", "strangers", "aligned"]
LONGEST_SIDE = 32_768  #: of a frame, in pixels
Side = Annotated[int, Strict(), Field(gt=0), _at_most(LONGEST_SIDE, "no frame has a longer side")]
Scalar = bool | int | float | str
Option = Scalar | tuple[Scalar, ...]
STREET = "street"  #: the data set that is made here
MOST_SEEDS = 1000  #: of a run; intervals hardly narrow beyond
VOID = 255  #: the label id that is no class, in every data set once it is read


class Spec(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def toml_keys(cls) -> tuple[str, ...]:
        """Return the keys that it has in TOML, where a short form may have others than fields."""
        return tuple(cls.model_fields)

    def canonical(self, without: set[str] | None = None) -> str:
        """The content as one JSON text that does not depend on the order of keys, but for the
        fields named.
        """
        return json.dumps(
            self.model_dump(mode="json", exclude=without), sort_keys=True, separators=(",", ":")
        )


def content_hash(text: str) -> str:
    """The first 12 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sorted_pairs(value: object) -> object:
    """Return a mapping as pairs in the order of its keys; anything else as it is."""
    if isinstance(value, Mapping):
        return tuple(sorted(cast("Mapping[str, object]", value).items()))
    return value


def dotted_pairs(value: object) -> object:
    """Return a mapping as pairs in the order of its keys, a mapping in it as dotted names:
    `rates.offset`; anything else as it is.
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
    """Return a mapping as pairs in its own order, pairs as they are. Raises `ValueError` for
    anything else.
    """
    if isinstance(value, Mapping):
        return tuple(cast("Mapping[str, object]", value).items())
    if not isinstance(value, list | tuple):
        raise ValueError("needs a table")
    return cast("object", value)


def _kept_pairs(options: tuple[tuple[str, Option], ...]) -> list[list[Option]]:
    return [[name, without_place(value)] for name, value in options]


# Mappings that can be hashed: read from a TOML table, kept as pairs. Where the order carries no
# meaning they are sorted.
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
