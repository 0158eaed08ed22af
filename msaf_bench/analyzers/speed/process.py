"""The process that builds one system and times it: a task as JSON on stdin, a report as one line of JSON on stdout.

    python -m msaf_bench.analyzers.speed.process

A failure is one line on stderr.
"""

import contextlib
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from statistics import fmean
from time import perf_counter_ns
from typing import Any, NamedTuple

import torch

from msaf_bench.analyzers.speed import cuda as speed_cuda
from msaf_bench.analyzers.speed.host import Snapshot, governor, peak_bytes, reset_peak, resident_bytes, snapshot, usable_cores
from msaf_bench.analyzers.speed.measure import SpeedTask
from msaf_bench.analyzers.speed.nvml import Gpu
from msaf_bench.analyzers.speed.run import Energy, Memory, Process, Run
from msaf_bench.analyzers.speed.sampling import Lap, Series, WarmUp, sample, warm_up
from msaf_bench.analyzers.speed.subject import Stage, Subject, prepare
from msaf_bench.architectures import build
from msaf_bench.errors import BenchError
from msaf_bench.records import Host
from msaf_bench.spec import Scalar
from msaf_bench.stats.order_statistics import quantile

MOST_EVENTS = 2000  #: laps of the pass with events


class Seen(NamedTuple):
    """One process's timing, as it came."""

    warm_up: WarmUp
    series: Series
    before: Snapshot
    after: Snapshot
    memory: Memory
    energy: Energy
    device_laps: list[list[float]]  #: ms of each stage by the device's events; empty on a CPU


def time_task(task: SpeedTask) -> Run:
    """Builds the system with random weights, checks its output, warms up, samples."""
    conditions = task.conditions
    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    cuda = conditions.device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(torch.device(conditions.device).index or 0)
    gpu = speed_cuda.driver_of_current() if cuda else None
    net: Any = build(task.system, task.num_classes, plugins=task.plugins).eval().to(conditions.device)
    built, before = resident_bytes(), snapshot(gpu)
    subject = prepare(net, conditions)
    weights = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    with torch.inference_mode():
        seen = _on_gpu(task, subject, weights, before, gpu) if cuda else _on_cpu(task, subject, weights, before, built)
    facts = _facts() | (speed_cuda.facts(gpu) if cuda else {})
    return _report(
        subject, seen, Host.here(conditions.device, torch.get_num_threads(), torch.cuda.get_device_name() if cuda else ""), facts
    )


def _on_cpu(task: SpeedTask, subject: Subject, weights: int, before: Snapshot, built: int | None) -> Seen:
    reset_peak()
    warmed, series = _sample(task, subject, lambda: wall_lap(subject.stages.values(), subject.feed))
    after, peak = snapshot(), peak_bytes()
    above = None if peak is None or built is None else max(peak - built, 0)
    memory = Memory(kind="resident, above the built network", weights_bytes=weights, peak_bytes=above)
    return Seen(warmed, series, before, after, memory, Energy(reason="a CPU has no energy counter that every user may read"), [])


def _on_gpu(task: SpeedTask, subject: Subject, weights: int, before: Snapshot, gpu: Gpu | None) -> Seen:
    stages = tuple(subject.stages.values())

    def take() -> Lap:
        return wall_lap(stages, subject.feed, torch.cuda.synchronize)

    speed_cuda.reset_memory()
    warmed, series = _sample(task, subject, take)
    after = snapshot(gpu)
    laps = speed_cuda.device_laps(stages, subject.feed, min(len(series.laps), MOST_EVENTS // subject.cycle * subject.cycle))
    memory = speed_cuda.memory(weights)
    energy = speed_cuda.energy(gpu, take, idle_w=before.power_w, seconds=task.conditions.seconds)
    return Seen(warmed, series, before, after, memory, energy, laps)


def _sample(task: SpeedTask, subject: Subject, take: Callable[[], Lap]) -> tuple[WarmUp, Series]:
    seconds, most_s = task.conditions.seconds, task.conditions.timeout
    return warm_up(take, most_s=seconds, cycle=subject.cycle), sample(take, seconds=seconds, most_s=most_s, cycle=subject.cycle)


def wall_lap(stages: Iterable[Stage], feed: Iterator[Any], synchronise: Callable[[], None] | None = None) -> Lap:
    """One frame by the wall clock: the ns of each stage; of all together where the device must be waited for."""
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


def _report(subject: Subject, seen: Seen, host: Host, facts: dict[str, Scalar]) -> Run:
    wall = tuple(sum(lap) / 1e6 for lap in seen.series.laps)
    laps = seen.device_laps or [[ns / 1e6 for ns in lap] for lap in seen.series.laps]
    return Run(
        host=host,
        process=Process(
            first_ms=subject.first_ms,
            warm_up=seen.warm_up.laps,
            settled=seen.warm_up.settled,
            samples=len(wall),
            mean_ms=fmean(wall),
            p50_ms=quantile(wall, 0.5).value,
            converged=seen.series.converged,
            before=seen.before,
            after=seen.after,
        ),
        cores=usable_cores(),
        cycle=subject.cycle,
        wall_ms=wall,
        device_ms=tuple(sum(lap) for lap in seen.device_laps),
        parts_ms=tuple(zip(subject.stages, zip(*laps, strict=True), strict=True)),
        output=subject.output,
        memory=seen.memory,
        energy=seen.energy,
        facts=tuple(sorted(facts.items())),
    )


def _facts() -> dict[str, Scalar]:
    return {
        "governor": governor(),
        "interop_threads": torch.get_num_interop_threads(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "usable_cores": usable_cores(),
    }


def main() -> int:
    """Reads the task, prints the report; 1 and a line on stderr where there is none."""
    task = SpeedTask.model_validate_json(sys.stdin.read())
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a plug-in may print
            report = time_task(task)
    except Exception as error:  # noqa: BLE001  (whatever it is, the reader gets one line)
        said = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
        print(textwrap.shorten(said.strip().partition("\n\n")[0], 300), file=sys.stderr)
        return 1
    print(report.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
