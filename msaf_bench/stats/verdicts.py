"""Verdict on the interval of a difference."""

from typing import Literal

from msaf_bench.stats.intervals import Interval

Decision = Literal["above", "below", "same", "undecided"]


def judge(interval: Interval | None, margin: float = 0.0) -> Decision:
    """Return the verdict on the interval of a difference.

    - "above" or "below": the whole interval is above or below zero.
    - "same": the interval includes zero and lies within ±`margin` (two one-sided tests).
    - "undecided": neither, or fewer than two seeds.

    With simultaneous intervals, the verdicts of a whole family hold together. If the true
    difference is beyond the margin, only a direction can be right; if it is zero, only "same". No
    difference therefore has two ways to be misjudged. Source: Schuirmann 1987 (equivalence).
    """
    if interval is None or interval.low is None or interval.high is None:
        return "undecided"
    if interval.low > 0 or interval.high < 0:
        return "above" if interval.low > 0 else "below"
    return "same" if -margin < interval.low and interval.high < margin else "undecided"
