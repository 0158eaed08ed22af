"""Words of verdicts.

A result under other conditions than the paper's is never called a reproduction or contradiction.
"""

from collections.abc import Iterator
from typing import Literal, cast, get_args

from msaf_bench.catalog import read_conditions
from msaf_bench.findings.digits import NONE
from msaf_bench.spec import Conditions, Table
from msaf_bench.stats import Decision, Interval

Word = Literal[
    "reproduced", "contradicted", "no difference", "undecided",
    "same direction here", "opposite here", "no difference here", "undecided here",
    "not comparable",
]  # fmt: skip
RUN_WORDS: tuple[Word, ...] = get_args(Word)  #: in the order of the counts in reports
Tone = Literal["for", "against", "equal", "open", "none"]

_THERE: dict[Decision, Word] = {
    "above": "reproduced",
    "below": "contradicted",
    "same": "no difference",
    "undecided": "undecided",
}
_HERE: dict[Decision, Word] = {
    "above": "same direction here",
    "below": "opposite here",
    "same": "no difference here",
    "undecided": "undecided here",
}
_DECISION_TONES: dict[Decision, Tone] = {
    "above": "for",
    "below": "against",
    "same": "equal",
    "undecided": "open",
}
#: for a row against the reference row, without a claim in the paper
_ROW_WORDS: dict[Decision, str] = {
    "above": "better",
    "below": "worse",
    "same": "no difference",
    "undecided": "undecided",
}
#: look of each word on the page and in figures
TONES: dict[str, Tone] = {
    **{
        words[decision]: tone
        for words in (_THERE, _HERE)
        for decision, tone in _DECISION_TONES.items()
    },
    **dict(zip(_ROW_WORDS.values(), _DECISION_TONES.values(), strict=True)),
    "not comparable": "none",
    "consistent": "for",
    "inconsistent": "against",
    "agrees": "for",
    "reversed": "against",
    "raises mIoU": "for",
    "lowers mIoU": "against",
    "more than their sum": "for",
    "less than their sum": "against",
    "no effect": "equal",
    "same": "equal",
    "fixed": "for",
    "new failure": "against",
}
_SIGNS: dict[Tone, str] = {"for": "✓", "against": "✗", "equal": "≈", "open": "?", "none": NONE}
#: sign in front of each word
SIGNS = {word: _SIGNS[tone] for word, tone in TONES.items()}
#: conditions that do not affect the mIoU
NO_PART = {"preset", "watermark", "flow", "consistency", "checkpoint_every"}


def word_of(decision: Decision, *, here: bool) -> Word:
    """Return the word for a decision on "better minus worse".

    `here` is true under other conditions than the paper's.
    """
    return (_HERE if here else _THERE)[decision]


def row_word(decision: Decision) -> str:
    """Return the word for a decision on "row minus reference row" without a claim in the paper."""
    return _ROW_WORDS[decision]


def effect_word(decision: Decision, factors: int) -> str:
    """Return the word for the effect of one part, or for the interaction of several factors."""
    if decision == "undecided":
        return "undecided"
    alone = {"above": "raises mIoU", "below": "lowers mIoU"}
    together = {"above": "more than their sum", "below": "less than their sum"}
    return (alone if factors == 1 else together).get(decision, "no effect")


def shrunk(conditions: Conditions) -> bool:
    """Return whether the networks are smaller than the published ones."""
    return bool(conditions.shrink or conditions.shrink_options)


def other_conditions(conditions: Conditions, table: Table) -> tuple[str, ...]:
    """Return the differences to the paper's conditions that affect the mIoU; empty without any."""
    return tuple(_differing(conditions, table))


def _differing(conditions: Conditions, table: Table) -> Iterator[str]:
    if conditions.data != table.data:
        yield (
            f"measured on {conditions.data}, printed for"
            f" {table.data or 'a data set that the table does not name'}"
        )
    if shrunk(conditions):
        yield "the networks are shrunk"
    if any(row.conditions for _, row in table.rows):
        yield "some rows are trained under other conditions"
    if conditions.preset != "paper":
        yield f"preset {conditions.preset}, not the paper's recipe"
        return
    printed = cast("dict[str, object]", read_conditions("paper", conditions.data).model_dump())
    ours = cast("dict[str, object]", conditions.model_dump())
    yield from (
        f"{key} {ours[key]}, not {printed[key]}"
        for key in ours
        if ours[key] != printed[key] and key not in NO_PART
    )


def where_it_lies(decision: Decision, interval: Interval, margin: float) -> str:
    """Return a sentence without full stop on how the interval of a difference led to a decision."""
    if decision == "above":
        return "The whole interval lies above zero"
    if decision == "below":
        return "The whole interval lies below zero: the order is reversed"
    if decision == "same":
        return f"The interval includes zero and lies within ±{margin:g} points"
    if interval.low is None:
        return "One shared seed gives no interval"
    return f"The interval includes zero and reaches beyond ±{margin:g} points"
