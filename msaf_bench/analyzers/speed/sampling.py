"""Rules for the end of a turn, of the warm-up and of the sampling.

A lap is the timing of one frame: the ns of each part of the timed region. A system with a cycle of
several frames (key frames, rotating sub-networks) is timed in whole cycles. A turn is a short run
of laps of one system. A round has one turn per system, in random order. Slow drift of the machine
(clocks, heat, other work) therefore affects all systems equally. The clock is a parameter, so that
tests need not wait.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import fmean, median
from time import perf_counter
from typing import NamedTuple

from msaf_bench.stats.order_statistics import least_samples, quantile

Lap = tuple[int, ...]
Clock = Callable[[], float]

#: shortest counted time of a system's first turn, in seconds; at least one cycle
TURN_S = 0.01
#: cycles at least this long count even at the start of a turn: cold caches cost less than 1 %
LONG_S = 0.5
#: warm-up ends when the medians of the last 3 turns, a few frames each, agree within 5 %
WARM_UP_TURNS, SETTLED = 3, 0.05
#: sampling may stop at this half-width of the median's interval, relative to the median
TOLERANCE = 0.01
LEAST_TURNS = 6  #: fewest turns for a 95 % interval of the median
ENOUGH = least_samples(0.99)


class Taker(NamedTuple):
    """Timer of one system, called in rounds."""

    take: Callable[[], Lap]  #: times one frame
    cycle: int = 1  #: number of frames after which the work repeats


class Turn(NamedTuple):
    """Laps of one system in one round."""

    laps: list[Lap]
    p50: float  #: median lap in ns
    seconds: float  #: duration of the whole turn
    uncounted: int  #: laps at the start that only warm the caches


Enough = Callable[[Sequence[Turn]], bool]


def rounds(
    takers: Mapping[int, Taker],
    enough: Enough,
    *,
    least: int,
    most_s: float,
    order: Random,
    clock: Clock = perf_counter,
    on_round: Callable[[Mapping[int, Sequence[Turn]]], None] = lambda turns: None,
) -> dict[int, list[Turn] | Exception]:
    """Time systems in rounds.

    A system leaves when its turns are `enough` or it raises an exception. All others have had the
    same rounds and end together. Even if the machine drifts, their times are from the same period.

    Args:
        takers: Systems by index.
        enough: Returns whether the turns of a system suffice.
        least: Fewest rounds before the time limit applies.
        most_s: Time limit in seconds per system, on average.
        order: Source of the random order within each round.
        clock: Returns the time in seconds.
        on_round: Called after each round with all turns so far.

    Returns:
        The turns of each system, or the exception that it raised.
    """
    turns: dict[int, list[Turn]] = {index: [] for index in takers}
    failed: dict[int, Exception] = {}
    going = list(takers)
    while going and not _over([turns[index] for index in going], least, most_s):
        order.shuffle(going)
        for index in going:
            try:
                turns[index].append(_turn(takers[index], turns[index][:1], clock))
            except Exception as error:  # noqa: BLE001
                # The failure of one system must not end the measurement of the others.
                failed[index] = error
        going = [index for index in going if index not in failed and not enough(turns[index])]
        on_round(turns)
    return {index: failed.get(index, found) for index, found in turns.items()}


def _over(going: Sequence[Sequence[Turn]], least: int, most_s: float) -> bool:
    return len(going[0]) >= least and fmean(map(_spent, going)) >= most_s


def _turn(taker: Taker, first: Sequence[Turn], clock: Clock) -> Turn:
    """Run one cycle to warm the caches, then count as many laps as the first turn did.

    The caches were filled by another system. The first turn counts whole cycles for `TURN_S`. Later
    turns are not limited by time, or a slower period of the machine would have fewer laps.
    """
    begin = clock()
    laps = [taker.take() for _ in range(taker.cycle)]
    start, uncounted = clock(), 0
    if start - begin < LONG_S if not first else first[0].uncounted:
        laps, uncounted = [], len(laps)
    while (
        len(laps) < len(first[0].laps)
        if first
        else not laps or (uncounted and clock() - start < TURN_S)
    ):
        laps.extend(taker.take() for _ in range(taker.cycle))
    return Turn(laps, median(map(sum, laps)), clock() - begin, uncounted)


def settled(turns: Sequence[Turn]) -> bool:
    """Return whether the medians of the last turns agree, so that the warm-up may end."""
    last = [turn.p50 for turn in turns[-WARM_UP_TURNS:]]
    return len(last) == WARM_UP_TURNS and max(last) <= min(last) * (1 + SETTLED)


def converged(turns: Sequence[Turn]) -> bool:
    """Return whether the median is known to `TOLERANCE`.

    The sample is the medians of the turns, because laps of one turn depend on each other.
    """
    return (width := half_width([turn.p50 for turn in turns])) is not None and width < TOLERANCE


def known(turns: Sequence[Turn], *, seconds: float) -> bool:
    """Return whether sampling may end: after 662 laps or `seconds`, with a converged median."""
    long_enough = _spent(turns) >= seconds or sum(len(turn.laps) for turn in turns) >= ENOUGH
    return long_enough and converged(turns)


def mean_ms(turns: Sequence[Turn]) -> float:
    """Return the mean of all laps, in ms."""
    return fmean(sum(lap) for turn in turns for lap in turn.laps) / 1e6


def _spent(turns: Sequence[Turn]) -> float:
    return sum(turn.seconds for turn in turns)


def half_width(medians: Sequence[float]) -> float | None:
    """Return half the width of the median's 95 % interval, relative to the median.

    None for fewer than `LEAST_TURNS` values.
    """
    found = quantile(medians, 0.5)
    return (
        None
        if found.low is None or found.high is None or not found.value
        else (found.high - found.low) / 2 / found.value
    )
