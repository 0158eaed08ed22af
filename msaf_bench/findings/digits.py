"""Numbers as text: digits, signs and intervals."""

import math
from collections.abc import Sequence

from msaf_bench.stats import Interval

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return `value` with `digits` decimals and a true minus sign; an en dash for None and NaN."""
    if value is None or math.isnan(value):
        return NONE
    text = f"{value:,.{digits}f}"
    if not float(text.replace(",", "")):
        return text.removeprefix("-")  # a zero has no sign
    return f"{'+' if signed and value > 0 else ''}{text}".replace("-", MINUS)


def digits_of(interval: Interval) -> int:
    """Return the number of meaningful decimals for an interval, 1 or 2.

    Two for a width below 0.2, and if a bound of an interval without zero would be rounded to zero.
    """
    if interval.low is None or interval.high is None:
        return 1
    excludes_zero = interval.low > 0 or interval.high < 0
    reads_as_zero = 0 in (round(interval.low, 1), round(interval.high, 1))
    narrow = interval.high - interval.low < 0.2
    return 2 if narrow or (excludes_zero and reads_as_zero) else 1


def mean(interval: Interval | None, digits: int | None = None, *, signed: bool = False) -> str:
    """Return the mean of an interval as text; an en dash for None.

    Without `digits`, the width of the interval sets the decimals.
    """
    if interval is None:
        return NONE
    shown = digits_of(interval) if digits is None else digits
    return number(interval.mean, shown, signed=signed)


def span(interval: Interval | None, digits: int | None = None, *, signed: bool = False) -> str:
    """Return the bounds of an interval, "low to high"; an en dash without bounds."""
    if interval is None or interval.low is None:
        return NONE
    shown = digits_of(interval) if digits is None else digits
    return (
        f"{number(interval.low, shown, signed=signed)} to"
        f" {number(interval.high, shown, signed=signed)}"
    )


def mean_span(interval: Interval | None, digits: int | None = None, *, signed: bool = False) -> str:
    """Return the mean with the bounds in brackets, "mean (low to high)"; an en dash for None."""
    centre = mean(interval, digits, signed=signed)
    if interval is None or interval.low is None:
        return centre
    return f"{centre} ({span(interval, digits, signed=signed)})"


def p_value(p: float | None) -> str:
    """Return p with three decimals, or "< 0.001"."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def millions(params: int | None) -> str:
    """Return a number of parameters in millions."""
    return NONE if params is None else f"{params / 1e6:.3f}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return "1 seed" or "2 seeds"; `plural` is for nouns whose plural is not made with an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def seed_list(seeds: Sequence[int]) -> str:
    """Return the seeds in words: "seeds 0 to 4", "seed 3" or "seeds 0, 2, 7"."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    noun = "seeds" if len(seeds) > 1 else "seed"
    return f"{noun} {', '.join(map(str, seeds))}"
