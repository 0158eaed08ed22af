"""When warm-up ends and sampling stops, on a clock that only laps move."""

from collections.abc import Iterator
from itertools import chain, cycle, repeat

import numpy as np
import pytest

from msaf_bench.analyzers.speed.sampling import Lap, half_width, sample, warm_up


class Laps:
    """Laps of given ms, in two parts, that move the clock by as much."""

    def __init__(self, ms: Iterator[float]) -> None:
        self.ms, self.now, self.count = ms, 0.0, 0

    def take(self) -> Lap:
        ms = next(self.ms)
        self.now += ms / 1000
        self.count += 1
        return (round(ms * 1e6) - 1000, 1000)

    def clock(self) -> float:
        return self.now


def noisy(mean: float, deviation: float) -> Iterator[float]:
    rng = np.random.default_rng(0)
    while True:
        yield max(rng.normal(mean, deviation * mean), mean / 10)


def test_warm_up_of_a_steady_system_is_50_laps_or_3_seconds():
    fast, slow = Laps(repeat(2.0)), Laps(repeat(100.0))
    assert warm_up(fast.take, most_s=10, clock=fast.clock) == (50, True)
    assert warm_up(slow.take, most_s=10, clock=slow.clock) == (30, True)


def test_warm_up_waits_until_the_medians_agree():
    """Clocks rise for 200 laps: the tenth median after the end of the slope is the first that agrees with nine others."""
    laps = Laps(chain((20 - 0.05 * i for i in range(200)), repeat(10.0)))
    found = warm_up(laps.take, most_s=10, clock=laps.clock)
    assert found.settled
    assert 200 <= found.laps <= 215


def test_warm_up_is_capped_and_says_so():
    laps = Laps(cycle([5.0] * 7 + [9.0] * 7))
    found = warm_up(laps.take, most_s=4, clock=laps.clock)
    assert not found.settled
    assert 4 <= laps.now < 4.01


def test_a_small_budget_can_settle():
    laps = Laps(repeat(20.0))
    assert warm_up(laps.take, most_s=0.5, clock=laps.clock).settled
    assert laps.now == pytest.approx(0.5, abs=0.021)
    one = Laps(repeat(2000.0))
    assert warm_up(one.take, most_s=0.5, clock=one.clock) == (1, False)


def test_key_frames_do_not_keep_a_warm_up_from_settling():
    laps = Laps(cycle([50.0, 10.0, 10.0, 10.0, 10.0]))
    assert warm_up(laps.take, most_s=10, cycle=5, clock=laps.clock).settled


def test_sampling_stops_at_662_laps_when_the_median_is_known():
    laps = Laps(noisy(2.0, 0.03))
    found = sample(laps.take, seconds=10, most_s=60, clock=laps.clock)
    assert found.converged
    assert len(found.laps) == laps.count == 662


def test_sampling_of_a_slow_system_stops_after_its_seconds():
    laps = Laps(noisy(250.0, 0.005))
    found = sample(laps.take, seconds=10, most_s=60, clock=laps.clock)
    assert found.converged
    assert 40 <= len(found.laps) <= 42


def test_sampling_goes_on_until_the_median_is_known():
    laps = Laps(noisy(2.0, 0.25))
    found = sample(laps.take, seconds=10, most_s=60, clock=laps.clock)
    assert found.converged
    assert len(found.laps) > 662
    assert (half_width(found.laps) or 1) < 0.01 < (half_width(found.laps[: len(found.laps) // 2]) or 0)


def test_sampling_that_does_not_converge_stops_at_the_time_out():
    laps = Laps(noisy(50.0, 0.5))
    found = sample(laps.take, seconds=1, most_s=5, clock=laps.clock)
    assert not found.converged
    assert 5 <= laps.now < 5.2
    assert len(found.laps) == laps.count


def test_too_few_laps_never_converge():
    laps = Laps(repeat(1000.0))
    found = sample(laps.take, seconds=2, most_s=5, clock=laps.clock)
    assert not found.converged
    assert len(found.laps) == 5


def test_whole_cycles():
    laps = Laps(cycle([90.0, 10.0, 10.0, 11.0]))
    found = sample(laps.take, seconds=1, most_s=3, cycle=4, clock=laps.clock).laps
    assert len(found) % 4 == 0
    assert {sum(lap) for lap in found[::4]} == {90_000_000}


def test_half_width_by_hand():
    """Of 100 laps the 40th and the 61st bound the median (binomial, 96.5 %)."""
    laps: list[Lap] = [(1_000_000 + i, 0) for i in range(1, 101)]
    assert half_width(laps) == pytest.approx((61 - 40) / 2 / 1_000_050)
    assert half_width(laps[:5]) is None
