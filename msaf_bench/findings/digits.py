"""Numbers as text: digits, signs and intervals."""

import math
from collections.abc import Sequence

from msaf_bench.stats import Interval

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return `value` with `digits` decimals and a true minus sign; an en dash for None and NaN."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:{'+' if signed else ''},.{digits}f}".replace("-", MINUS)


def mean(interval: Interval | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return the mean of an interval; an en dash for none."""
    return NONE if interval is None else number(interval.mean, digits, signed=signed)


def span(interval: Interval | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return the bounds of an interval, "low to high"; an en dash where there are none."""
    if interval is None or interval.low is None:
        return NONE
    return (
        f"{number(interval.low, digits, signed=signed)} to"
        f" {number(interval.high, digits, signed=signed)}"
    )


def mean_span(interval: Interval | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return the mean with the bounds in brackets, "mean (low to high)"; an en dash for none."""
    centre = mean(interval, digits, signed=signed)
    if interval is None or interval.low is None:
        return centre
    return f"{centre} ({span(interval, digits, signed=signed)})"


def p_value(p: float | None) -> str:
    """Return p with three decimals, and never 0."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def millions(params: int | None) -> str:
    """Return a number of parameters in millions."""
    return NONE if params is None else f"{params / 1e6:.3f}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return "1 seed", "2 seeds"; `plural` where it is not made with an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def seed_list(seeds: Sequence[int]) -> str:
    """Return the seeds in words: "seeds 0 to 4", "seed 3" or "seeds 0, 2, 7"."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    noun = "seeds" if len(seeds) > 1 else "seed"
    return f"{noun} {', '.join(map(str, seeds))}"
