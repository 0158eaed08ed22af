"""From an interval to a word."""

from typing import Literal

from msaf_bench.stats.intervals import Interval

Decision = Literal["above", "below", "same", "undecided"]


def judge(interval: Interval | None, margin: float = 0.0) -> Decision:
    """What the interval of a difference says of it.

    "above" or "below" zero where all of it lies there; "same" where it includes zero and lies
    within ±`margin`, which are two one-sided tests; else "undecided", and always below two seeds.
    With simultaneous intervals the words of a whole family hold together: where the truth is beyond
    the margin only a direction can be right, where it is zero only "same", so that no difference
    has two ways to be misjudged. Source: Schuirmann 1987 (equivalence).
    """
    if interval is None or interval.low is None or interval.high is None:
        return "undecided"
    if interval.low > 0 or interval.high < 0:
        return "above" if interval.low > 0 else "below"
    return "same" if -margin < interval.low and interval.high < margin else "undecided"
