"""The process that builds systems and times them in rounds: a `Batch` as JSON on stdin, a `Report`
as one line of JSON on stdout.

    python -m msaf_bench.analyzers.speed.process

A system that fails is a reason in the report. A failure of the whole process is one line on stderr.
"""

import contextlib
import gc
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from random import Random
from statistics import fmean
from time import perf_counter, perf_counter_ns
from typing import Any, NamedTuple

import torch

from msaf_bench.analyzers.speed import cuda as speed_cuda
from msaf_bench.analyzers.speed.host import (
    Snapshot,
    available_bytes,
    governor,
    others_cpu_s,
    peak_bytes,
    reset_peak,
    resident_bytes,
    snapshot,
    usable_cores,
)
from msaf_bench.analyzers.speed.measure import Batch, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.nvml import Gpu
from msaf_bench.analyzers.speed.run import Energy, Memory, Process, Report, Run
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
from msaf_bench.analyzers.speed.subject import Stage, Subject, prepare
from msaf_bench.architectures import build
from msaf_bench.errors import BenchError
from msaf_bench.foreign import guarded
from msaf_bench.host import Host
from msaf_bench.spec import Scalar
from msaf_bench.stats.order_statistics import quantile

MOST_EVENTS = 2000  #: laps of the pass with events
PEAK_CYCLES = 2  #: run to see a system's peak memory
#: share of the free memory that the networks of one process may fill; the rest is for what a frame
#: needs
HELD = 0.5


class Ready(NamedTuple):
    """One system, built and checked."""

    subject: Subject
    taker: Taker
    memory: Memory


class Place(NamedTuple):
    """Conditions and machine that all systems of a process share."""

    conditions: SpeedConditions
    gpu: Gpu | None
    host: Host
    facts: dict[str, Scalar]


class Moment(NamedTuple):
    """The machine at the start or the end of the rounds."""

    seen: Snapshot
    others_s: float | None  #: CPU seconds of other processes
    clock_s: float


class Seen(NamedTuple):
    """Start, end and turns of the rounds, for one system."""

    before: Moment
    after: Moment
    warm_up: list[Turn]
    turns: list[Turn]
    beside: int


def time_batch(batch: Batch) -> Report:
    """Build as many systems as memory holds, with random weights, and time them in rounds."""
    conditions = batch.tasks[0].conditions
    torch.set_num_threads(conditions.threads)
    place = _place(conditions)
    taken = _take_in(batch.tasks)
    ready = {index: one for index, one in enumerate(taken) if isinstance(one, Ready)}
    gc.collect()
    gc.freeze()  # a collection during a frame would look through all networks
    with torch.inference_mode():
        seen = _see({index: one.taker for index, one in ready.items()}, place, Random(batch.number))
        found = {index: _result(one, seen[index], place) for index, one in ready.items()}
    return Report(
        results=tuple(
            one if isinstance(one, str) else found[index] for index, one in enumerate(taken)
        )
    )


def _place(conditions: SpeedConditions) -> Place:
    if conditions.device == "cpu":
        return Place(conditions, None, Host.here("cpu", torch.get_num_threads()), _facts())
    torch.cuda.set_device(torch.device(conditions.device).index or 0)
    gpu = speed_cuda.driver_of_current()
    host = Host.here(conditions.device, torch.get_num_threads(), torch.cuda.get_device_name())
    return Place(conditions, gpu, host, _facts() | speed_cuda.facts(gpu))


def _take_in(tasks: Sequence[SpeedTask]) -> list[Ready | str]:
    """Prepare the tasks in their order until the networks fill their share of the memory; at least
    the first.
    """
    device = tasks[0].conditions.device
    with contextlib.suppress(Exception):
        _ready(tasks[0])  # the libraries' own memory, taken with the first frame, is no system's
    room, begin = HELD * _free(device), _held(device)
    taken: list[Ready | str] = []
    for task in tasks:
        try:
            taken.append(_ready(task))
        except Exception as error:  # noqa: BLE001  (whatever it is, the reader gets one line)
            taken.append(_line(error))
        if _held(device) - begin > room:
            break
    return taken


def _free(device: str) -> float:
    return available_bytes() if device == "cpu" else torch.cuda.mem_get_info()[0]


def _held(device: str) -> int:
    return (resident_bytes() or 0) if device == "cpu" else torch.cuda.memory_allocated()


def _ready(task: SpeedTask) -> Ready:
    """Build one system, check its output and run a few frames for its peak memory."""
    conditions, cuda = task.conditions, task.conditions.device != "cpu"
    torch.manual_seed(0)
    net = build(task.system, task.num_classes, plugins=task.plugins).eval().to(conditions.device)
    weights = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    reset_peak()
    built = speed_cuda.reset_memory() if cuda else resident_bytes()
    subject = prepare(net, conditions)
    taker = Taker(
        partial(
            wall_lap,
            tuple(subject.stages.values()),
            subject.feed,
            torch.cuda.synchronize if cuda else None,
        ),
        subject.cycle,
    )
    reset_peak()
    with torch.inference_mode():
        for _ in range(PEAK_CYCLES * subject.cycle):
            taker.take()
    if isinstance(built, speed_cuda.Held):
        return Ready(subject, taker, speed_cuda.memory(weights, built))
    peak = peak_bytes()
    above = None if peak is None or built is None else max(peak - built, 0)
    return Ready(
        subject,
        taker,
        Memory(kind="resident, above the built network", weights_bytes=weights, peak_bytes=above),
    )


def wall_lap(
    stages: Iterable[Stage], feed: Iterator[Any], synchronise: Callable[[], None] | None = None
) -> Lap:
    """Time one frame by the wall clock: the ns of each stage; of all together where the device must
    be waited for.
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


def _see(takers: Mapping[int, Taker], place: Place, order: Random) -> dict[int, Seen | Exception]:
    """Warm all systems up in rounds, then sample them in rounds."""
    seconds, timeout = place.conditions.seconds, place.conditions.timeout
    before = _moment(place.gpu)
    warmed = rounds(takers, settled, least=WARM_UP_TURNS, most_s=seconds, order=order)
    alive = {
        index: takers[index] for index, turns in warmed.items() if not isinstance(turns, Exception)
    }
    timed = rounds(
        alive, partial(known, seconds=seconds), least=LEAST_TURNS, most_s=timeout, order=order
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


def _result(one: Ready, seen: Seen | Exception, place: Place) -> Run | str:
    if isinstance(seen, Exception):
        return _line(seen)
    if place.conditions.device == "cpu":
        return _run(
            one,
            seen,
            place,
            [],
            Energy(reason="a CPU has no energy counter that every user may read"),
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
    except Exception as error:  # noqa: BLE001  (as above)
        return _line(error)
    return _run(one, seen, place, laps, energy)


def _run(
    one: Ready, seen: Seen, place: Place, device_laps: list[list[float]], energy: Energy
) -> Run:
    wall = [lap for turn in seen.turns for lap in turn.laps]
    laps = device_laps or [[ns / 1e6 for ns in lap] for lap in wall]
    return Run(
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


def _process(one: Ready, seen: Seen) -> Process:
    wall = [sum(lap) / 1e6 for turn in seen.turns for lap in turn.laps]
    return Process(
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


def _facts() -> dict[str, Scalar]:
    return {
        "governor": governor(),
        "interop_threads": torch.get_num_interop_threads(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "usable_cores": usable_cores(),
    }


def _line(error: Exception) -> str:
    """Say in one line what happened."""
    said = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
    return textwrap.shorten(said.strip().partition("\n\n")[0], 300)


def main() -> int:
    """Read the batch and print the report; return 1, with a line on stderr, where there is none."""
    batch = Batch.model_validate_json(sys.stdin.read())
    try:
        with guarded("a component"):
            report = time_batch(batch)
    except Exception as error:  # noqa: BLE001  (whatever it is, the reader gets one line)
        print(_line(error), file=sys.stderr)
        return 1
    print(report.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
