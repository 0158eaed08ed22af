"""When to begin counting and when to stop. The clock is a parameter, so that the rules can be tried without waiting.

A lap is the timing of one frame: the ns of each part of the timed region. A system that works in a cycle of several frames (key frames,
rotating sub-networks) is timed in whole cycles.
"""

from collections import deque
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import NamedTuple

from msaf_bench.stats.order_statistics import least_samples, quantile

Lap = tuple[int, ...]
Clock = Callable[[], float]

WARM_UP_LAPS, WARM_UP_S = 50, 3.0  #: whichever comes first
MEDIANS, MEDIAN_OF = 10, 5  #: the medians of the last 5 cycles, after each of the last 10, are compared
TOLERANCE = 0.01  #: between the warm-up's medians, and of the half-width of the final median's interval
ENOUGH = least_samples(0.99)


class WarmUp(NamedTuple):
    """Frames that were run and not counted."""

    laps: int
    settled: bool  #: the last medians agreed


class Series(NamedTuple):
    """The timed frames."""

    laps: list[Lap]
    converged: bool  #: the median is known to `TOLERANCE`


def warm_up(take: Callable[[], Lap], *, most_s: float, cycle: int = 1, clock: Clock = perf_counter) -> WarmUp:
    """Runs until 50 laps or 3 s (or all of `most_s`) have passed and the last medians agree within 1 %, or until `most_s` seconds."""
    recent: deque[int] = deque(maxlen=MEDIAN_OF)
    medians: deque[float] = deque(maxlen=MEDIANS)
    begin, laps = clock(), 0
    while True:
        recent.append(sum(sum(take()) for _ in range(cycle)))
        laps += cycle
        if len(recent) == MEDIAN_OF:
            medians.append(median(recent))
        passed = clock() - begin
        long_enough = laps >= WARM_UP_LAPS or passed >= min(WARM_UP_S, most_s)
        if long_enough and len(medians) == MEDIANS and max(medians) <= min(medians) * (1 + TOLERANCE):
            return WarmUp(laps, True)
        if passed >= most_s:
            return WarmUp(laps, False)


def sample(take: Callable[[], Lap], *, seconds: float, most_s: float, cycle: int = 1, clock: Clock = perf_counter) -> Series:
    """Times frames until there are 662, or `seconds` of them, and their median is known to 1 %; or until `most_s` seconds.

    "Known" means that half the width of the median's 95 % interval is less than 1 % of it.
    """
    laps: list[Lap] = []
    begin, look_at = clock(), 0.0
    while True:
        laps.extend(take() for _ in range(cycle))
        passed = clock() - begin
        if (len(laps) >= ENOUGH or passed >= seconds) and len(laps) >= look_at:
            if (width := half_width(laps)) is not None and width < TOLERANCE:
                return Series(laps, True)
            look_at = 1.1 * len(laps)  # looking costs a sort
        if passed >= most_s:
            return Series(laps, False)


def half_width(laps: list[Lap]) -> float | None:
    """Half the width of the median's interval, as a share of the median; None where there are too few laps for an interval."""
    found = quantile([sum(lap) for lap in laps], 0.5)
    return None if found.low is None or found.high is None or not found.value else (found.high - found.low) / 2 / found.value
