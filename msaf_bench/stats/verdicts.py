"""From an interval to a word, and from many p values to honest ones."""

from collections.abc import Sequence
from typing import Literal

from msaf_bench.stats.intervals import Interval

Decision = Literal["reproduced", "contradicted", "undecided"]


def judge(interval: Interval | None) -> Decision:
    """What the interval of (better - worse) says of the sentence "better beats worse".

    "reproduced" where all of it lies above zero, "contradicted" where all of it lies below, else "undecided";
    below two seeds always "undecided".
    """
    if interval is None or interval.low is None or interval.high is None:
        return "undecided"
    return "reproduced" if interval.low > 0 else "contradicted" if interval.high < 0 else "undecided"


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for their number, in the given order. Source: Holm 1979, step-down Bonferroni."""
    adjusted, floor = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        floor = max(floor, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = floor
    return adjusted
