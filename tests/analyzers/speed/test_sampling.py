"""When turns, warm-up and sampling end, on a clock that only laps move."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, repeat
from random import Random
from statistics import median

import numpy as np
import pytest

from msaf_bench.analyzers.speed.sampling import (
    LEAST_TURNS,
    LONG_S,
    TURN_S,
    WARM_UP_TURNS,
    Lap,
    Taker,
    Turn,
    converged,
    half_width,
    known,
    rounds,
    settled,
)


class Machine:
    """A clock that laps move, and the order in which systems had their laps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []

    def clock(self) -> float:
        return self.now

    def system(
        self,
        name: str,
        ms: Iterator[float],
        cycle: int = 1,
        slowdown: Callable[[float], float] = lambda now: 1.0,
    ) -> Taker:
        """A system whose laps take these ms, longer by the machine's slowdown at that time."""

        def take() -> Lap:
            self.asked.append(name)
            lap = next(ms) * slowdown(self.now)
            self.now += lap / 1000
            return (round(lap * 1e6) - 1000, 1000)

        return Taker(take, cycle)


def noisy(mean: float, deviation: float, seed: int = 0) -> Iterator[float]:
    rng = np.random.default_rng(seed)
    while True:
        yield max(rng.normal(mean, deviation * mean), mean / 10)


def timed(
    machine: Machine,
    takers: list[Taker],
    enough: Callable[..., bool],
    *,
    least: int = 1,
    most_s: float = 1e9,
) -> list[list[Turn]]:
    found = rounds(
        dict(enumerate(takers)),
        enough,
        least=least,
        most_s=most_s,
        order=Random(0),
        clock=machine.clock,
    )
    return [turns for turns in found.values() if not isinstance(turns, Exception)]


def sampled(
    machine: Machine, takers: list[Taker], *, seconds: float, timeout: float
) -> list[list[Turn]]:
    return timed(
        machine, takers, partial(known, seconds=seconds), least=LEAST_TURNS, most_s=timeout
    )


def alone(
    ms: Iterator[float], cycle: int = 1, *, seconds: float = 10, timeout: float = 60
) -> tuple[list[Turn], float]:
    """Turns of one system that is sampled, and the seconds that they took."""
    machine = Machine()
    (turns,) = sampled(machine, [machine.system("a", ms, cycle)], seconds=seconds, timeout=timeout)
    return turns, machine.now


def counted(turns: list[Turn]) -> int:
    return sum(len(turn.laps) for turn in turns)


def test_a_round_has_one_turn_of_every_system_in_a_new_order():
    machine = Machine()
    names = "abcde"
    # one lap that is not counted, and one that is
    takers = [machine.system(name, repeat(20.0)) for name in names]
    timed(machine, takers, lambda turns: len(turns) == 8)
    orders = ["".join(machine.asked[i : i + 10 : 2]) for i in range(0, 80, 10)]
    assert len(machine.asked) == 80
    assert machine.asked[::2] == machine.asked[1::2]
    assert all(sorted(order) == sorted(names) for order in orders)
    assert len(set(orders)) > 4


@pytest.mark.parametrize(
    "slowdown", [lambda now: 1 + now / 8, lambda now: 1.5 + 0.5 * np.sin(now)], ids=["ramp", "wave"]
)
def test_slow_drift_of_the_machine_reaches_all_systems_alike(slowdown: Callable[[float], float]):
    """The machine becomes twice as slow meanwhile: the medians' ratios stay those of the systems,
    and none is called known.
    """
    machine = Machine()
    means = [2.0, 3.0, 5.0, 8.0]
    takers = [
        machine.system(str(ms), noisy(ms, 0.02, seed), slowdown=slowdown)
        for seed, ms in enumerate(means)
    ]
    found = sampled(machine, takers, seconds=0.5, timeout=2)
    medians = [median(sum(lap) for turn in turns for lap in turn.laps) / 1e6 for turns in found]
    assert medians[0] > 1.2 * means[0]
    assert [ms / medians[0] for ms in medians] == pytest.approx(
        [ms / means[0] for ms in means], rel=0.02
    )
    assert not any(converged(turns) for turns in found)
    assert len({len(turns) for turns in found}) == 1
    assert all(len({len(turn.laps) for turn in turns}) == 1 for turns in found)


def test_systems_timed_one_after_the_other_do_not_survive_that_drift():
    machine = Machine()
    first, second = (
        machine.system("x", noisy(2.0, 0.02, seed), slowdown=lambda now: 1 + now / 8)
        for seed in range(2)
    )
    medians = [
        median(turn.p50 for turn in timed(machine, [taker], lambda turns: len(turns) == 150)[0])
        for taker in (first, second)
    ]
    assert medians[1] / medians[0] > 1.15


def test_each_leaves_when_it_is_known():
    machine = Machine()
    takers = [machine.system("quiet", noisy(3.0, 0.003)), machine.system("loud", noisy(3.0, 0.2))]
    quiet, loud = sampled(machine, takers, seconds=0.1, timeout=30)
    assert converged(quiet)
    assert converged(loud)
    assert LEAST_TURNS <= len(quiet) < len(loud) / 3


def test_one_that_stays_unknown_has_its_own_seconds_and_not_those_of_all():
    machine = Machine()
    takers = [
        machine.system("loud", noisy(3.0, 0.9)),
        *(machine.system(str(i), noisy(3.0, 0.003, i)) for i in range(9)),
    ]
    loud, *_ = sampled(machine, takers, seconds=0.1, timeout=2)
    assert 2 <= sum(turn.seconds for turn in loud) < 2.1
    assert machine.now < 5


def test_a_system_that_raises_leaves_the_others():
    machine = Machine()

    def broken() -> Lap:
        raise MemoryError("too large")

    takers = {
        3: machine.system("a", repeat(2.0)),
        5: Taker(broken),
        8: machine.system("b", repeat(2.0)),
    }
    found = rounds(
        takers,
        lambda turns: len(turns) == 4,
        least=1,
        most_s=9,
        order=Random(0),
        clock=machine.clock,
    )
    assert list(found) == [3, 5, 8]
    assert isinstance(found[5], MemoryError)
    assert [len(turns) for turns in found.values() if isinstance(turns, list)] == [4, 4]


def test_no_systems_are_no_rounds():
    assert rounds({}, lambda turns: True, least=1, most_s=9, order=Random(0)) == {}


def test_the_first_lap_of_a_turn_only_warms_the_caches():
    turns, _ = alone(cycle([9.0, 2.0, 2.0, 2.0, 2.0, 2.0]), seconds=0.1)
    assert {sum(lap) for turn in turns for lap in turn.laps} == {2_000_000}
    assert {(turn.uncounted, len(turn.laps)) for turn in turns} == {(1, TURN_S / 0.002)}


def test_a_long_lap_is_a_turn_by_itself():
    turns, seconds = alone(repeat(1000 * LONG_S), seconds=2, timeout=5)
    assert {(turn.uncounted, len(turn.laps)) for turn in turns} == {(0, 1)}
    assert seconds == pytest.approx(LEAST_TURNS * LONG_S)


def warmed(ms: Iterator[float], cycle: int = 1, *, seconds: float = 10) -> tuple[list[Turn], float]:
    machine = Machine()
    (turns,) = timed(
        machine, [machine.system("a", ms, cycle)], settled, least=WARM_UP_TURNS, most_s=seconds
    )
    return turns, machine.now


def test_warm_up_of_a_steady_system_is_three_turns():
    turns, _ = warmed(repeat(2.0))
    assert len(turns) == 3
    assert settled(turns)


def test_warm_up_waits_until_the_medians_agree():
    """Clocks rise for 25 laps."""
    turns, _ = warmed(chain((20 - 0.4 * i for i in range(25)), repeat(10.0)))
    assert settled(turns)
    assert 25 <= sum(len(turn.laps) + turn.uncounted for turn in turns) <= 32


def test_warm_up_is_capped_and_says_so():
    turns, seconds = warmed(cycle([5.0] * 7 + [9.0] * 7), seconds=4)
    assert not settled(turns)
    assert 4 <= seconds < 4.1


def test_key_frames_do_not_keep_a_warm_up_from_settling():
    turns, _ = warmed(cycle([50.0, 10.0, 10.0, 10.0, 10.0]), 5)
    assert settled(turns)


def test_sampling_stops_at_662_laps_when_the_median_is_known():
    turns, seconds = alone(noisy(2.0, 0.03))
    assert converged(turns)
    assert 662 <= counted(turns) <= 668
    assert seconds < 2


def test_sampling_of_a_slow_system_stops_after_its_seconds():
    turns, seconds = alone(noisy(250.0, 0.005))
    assert converged(turns)
    assert 10 <= seconds < 10.6


@pytest.mark.slow
def test_sampling_goes_on_until_the_median_is_known():
    turns, _ = alone(noisy(2.0, 0.25))
    assert converged(turns)
    assert counted(turns) > 662
    assert not converged(turns[: len(turns) // 2])


def test_sampling_that_does_not_converge_stops_at_the_time_out():
    turns, seconds = alone(noisy(50.0, 0.5), seconds=1, timeout=5)
    assert not converged(turns)
    assert 5 <= seconds < 5.3


def test_sampling_never_ends_before_a_median_can_have_an_interval():
    turns, _ = alone(repeat(1000.0), seconds=2, timeout=3)
    assert len(turns) == LEAST_TURNS
    assert converged(turns)


def test_whole_cycles():
    turns, _ = alone(cycle([90.0, 10.0, 10.0, 11.0]), 4, seconds=1, timeout=3)
    assert {sum(lap) for turn in turns for lap in turn.laps[::4]} == {90_000_000}
    assert {len(turn.laps) % 4 for turn in turns} == {0}
    assert {turn.uncounted for turn in turns} == {4}


def test_laps_that_depend_on_each_other_do_not_look_like_many():
    """Within a turn all laps are the same: a thousand laps in ten turns know the median no better
    than ten.
    """
    rng = np.random.default_rng(0)
    turns = [Turn([(int(ms * 1e6),)] * 100, ms * 1e6, 0.1, 1) for ms in rng.normal(5, 0.1, 10)]
    assert not converged(turns)


def test_half_width_by_hand():
    """Of 100 values the 40th and the 61st bound the median (binomial, 96.5 %)."""
    values = [1_000_000 + i for i in range(1, 101)]
    assert half_width(values) == pytest.approx((61 - 40) / 2 / 1_000_050)
    assert half_width(values[: LEAST_TURNS - 1]) is None
    assert half_width(values[:LEAST_TURNS]) is not None
