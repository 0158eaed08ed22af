"""Warm-up and sampling of prepared systems in rounds, with the machine's state before and after."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from random import Random
from statistics import fmean
from time import perf_counter, perf_counter_ns
from typing import NamedTuple

from msaf_bench.analyzers.speed import cuda as speed_cuda
from msaf_bench.analyzers.speed.machine import Snapshot, others_cpu_s, snapshot
from msaf_bench.analyzers.speed.nvml import Gpu
from msaf_bench.analyzers.speed.sampling import (
    LEAST_TURNS,
    WARM_UP_TURNS,
    Lap,
    Taker,
    Turn,
    converged,
    known,
    rounds,
    settled,
)
from msaf_bench.analyzers.speed.subject import PreparedSystem, Stage
from msaf_bench.analyzers.speed.tasks import SpeedConditions
from msaf_bench.analyzers.speed.worker_report import Energy, PeakMemory, ProcessSummary, SystemRun
from msaf_bench.errors import BenchError
from msaf_bench.host import Host, usable_cores
from msaf_bench.spec import Scalar
from msaf_bench.stats.order_statistics import quantile

MOST_EVENTS = 2000  #: largest number of laps timed with events
PEAK_CYCLES = 2  #: cycles run to measure a system's peak memory


class Ready(NamedTuple):
    """One system, built and checked."""

    subject: PreparedSystem
    taker: Taker
    memory: PeakMemory


class Place(NamedTuple):
    """Conditions and machine, shared by all systems of a process."""

    conditions: SpeedConditions
    gpu: Gpu | None
    host: Host
    facts: dict[str, Scalar]


class Moment(NamedTuple):
    """State of the machine at the start or end of the rounds."""

    seen: Snapshot
    others_s: float | None  #: CPU seconds of other processes
    clock_s: float


class Seen(NamedTuple):
    """Turns of one system, with the state of the machine before and after."""

    before: Moment
    after: Moment
    warm_up: list[Turn]
    turns: list[Turn]
    beside: int


def wall_lap(
    stages: Iterable[Stage], feed: Iterator[object], synchronise: Callable[[], None] | None = None
) -> Lap:
    """Return the wall time in ns of each stage of one frame.

    With `synchronise`, only the total is returned, after waiting for the device.
    """
    value = next(feed)
    marks = [perf_counter_ns()]
    for stage in stages:
        value = stage(value)
        if synchronise is None:
            marks.append(perf_counter_ns())
    if synchronise is not None:
        synchronise()
        marks.append(perf_counter_ns())
    return tuple(b - a for a, b in pairwise(marks))


def observe(
    takers: Mapping[int, Taker],
    place: Place,
    order: Random,
    on_round: Callable[[Mapping[int, Sequence[Turn]]], None] = lambda turns: None,
) -> dict[int, Seen | Exception]:
    """Warm up all systems in rounds, then sample them in rounds.

    Args:
        takers: Systems by index.
        place: Conditions and machine.
        order: Source of the random order within each round.
        on_round: Called after each round with all turns so far of the warm-up or of the sampling.

    Returns:
        The turns of each system, or the exception that it raised.
    """
    seconds, timeout = place.conditions.seconds, place.conditions.timeout
    before = _moment(place.gpu)
    warmed = rounds(
        takers, settled, least=WARM_UP_TURNS, most_s=seconds, order=order, on_round=on_round
    )
    alive = {
        index: takers[index] for index, turns in warmed.items() if not isinstance(turns, Exception)
    }
    timed = rounds(
        alive,
        partial(known, seconds=seconds),
        least=LEAST_TURNS,
        most_s=timeout,
        order=order,
        on_round=on_round,
    )
    after, seen = _moment(place.gpu), dict[int, Seen | Exception]()
    for index, first in warmed.items():
        if isinstance(first, Exception):
            seen[index] = first
        else:
            turns = timed[index]
            seen[index] = (
                turns
                if isinstance(turns, Exception)
                else Seen(before, after, first, turns, len(takers) - 1)
            )
    return seen


def _moment(gpu: Gpu | None) -> Moment:
    return Moment(snapshot(gpu), others_cpu_s(), perf_counter())


def result_of(one: Ready, seen: Seen | Exception, place: Place) -> SystemRun | str:
    """Return the run of one system, with device times on a GPU, or the reason why it failed."""
    if isinstance(seen, Exception):
        return one_line(seen)
    if place.conditions.device == "cpu":
        return _run(
            one,
            seen,
            place,
            [],
            Energy(reason="on a CPU, unprivileged users cannot read an energy counter"),
        )
    try:
        stages, cycle = tuple(one.subject.stages.values()), one.subject.cycle
        samples = sum(len(turn.laps) for turn in seen.turns)
        laps = speed_cuda.device_laps(
            stages, one.subject.feed, min(samples, MOST_EVENTS // cycle * cycle)
        )
        energy = speed_cuda.energy(
            place.gpu,
            one.taker.take,
            idle_w=seen.before.seen.power_w,
            seconds=place.conditions.seconds,
        )
    except Exception as error:  # noqa: BLE001  (any error becomes one line)
        return one_line(error)
    return _run(one, seen, place, laps, energy)


def _run(
    one: Ready, seen: Seen, place: Place, device_laps: list[list[float]], energy: Energy
) -> SystemRun:
    wall = [lap for turn in seen.turns for lap in turn.laps]
    laps = device_laps or [[ns / 1e6 for ns in lap] for lap in wall]
    return SystemRun(
        host=place.host,
        process=_process(one, seen),
        cores=usable_cores(),
        cycle=one.subject.cycle,
        wall_ms=tuple(sum(lap) / 1e6 for lap in wall),
        device_ms=tuple(sum(lap) for lap in device_laps),
        parts_ms=tuple(zip(one.subject.stages, zip(*laps, strict=True), strict=True)),
        output=one.subject.output,
        memory=one.memory,
        energy=energy,
        facts=tuple(sorted(place.facts.items())),
    )


def _process(one: Ready, seen: Seen) -> ProcessSummary:
    wall = [sum(lap) / 1e6 for turn in seen.turns for lap in turn.laps]
    return ProcessSummary(
        first_ms=one.subject.first_ms,
        warm_up=PEAK_CYCLES * one.subject.cycle
        + sum(len(turn.laps) + turn.uncounted for turn in seen.warm_up),
        settled=settled(seen.warm_up),
        samples=len(wall),
        mean_ms=fmean(wall),
        p50_ms=quantile(wall, 0.5).value,
        converged=converged(seen.turns),
        before=seen.before.seen,
        after=seen.after.seen,
        turns=len(seen.turns),
        beside=seen.beside,
        busy_cores=_busy_cores(seen.before, seen.after),
    )


def _busy_cores(before: Moment, after: Moment) -> float | None:
    if before.others_s is None or after.others_s is None:
        return None
    return max(after.others_s - before.others_s, 0) / (after.clock_s - before.clock_s)


def one_line(error: Exception) -> str:
    """Return an error as one line of up to 300 characters."""
    said = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
    return textwrap.shorten(said.strip().partition("\n\n")[0], 300)
