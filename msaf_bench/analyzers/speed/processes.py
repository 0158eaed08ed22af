"""Latency measurement in fresh processes, one at a time, each timing all systems in rounds.

No torch import here.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from statistics import fmean
from tempfile import TemporaryFile
from threading import Event, Timer
from time import perf_counter
from typing import NamedTuple

from pydantic import ValidationError

from msaf_bench.analyzers.speed.aggregate import summary
from msaf_bench.analyzers.speed.tasks import Batch, Speed, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.worker_report import (
    ESTIMATE,
    RunningMeans,
    SystemRun,
    WorkerReport,
)
from msaf_bench.children import command
from msaf_bench.host import Host

START_S = 900  #: seconds per process beyond its budget, for imports, building and compiling
#: for the estimate of the time left: warm-up and sampling as a multiple of the sampling time, and
#: the fewest frames per system, preparation included
ROUNDS, LEAST_FRAMES = 1.25, 16
NAMED = 4  #: largest number of systems that a note lists by name


class Progress(NamedTuple):
    """Progress of a measurement."""

    means_ms: Mapping[str, float]  #: mean latency so far over the processes, by task id
    process: int  #: number of the current process, from 1
    processes: int  #: number of planned processes
    left_s: float  #: estimate of the time left, in seconds


def measure_speed(
    tasks: Sequence[SpeedTask],
    *,
    within_s: float = inf,
    on_note: Callable[[str], None] = lambda text: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Speed]:
    """Time every task in `conditions.processes` fresh processes, one at a time.

    A task that fails gets a reason and is not tried again in later processes.

    Args:
        tasks: Tasks that differ in system, size and mode only.
        within_s: Time limit in seconds. A further process starts only if it is expected to end
            within the limit, judged by the previous ones.
        on_note: Called with one line before each process.
        on_progress: Called with each new estimate.

    Returns:
        One `Speed` per task, in the same order. Their conditions hold the number of processes that
        ran.

    Raises:
        ValueError: If the tasks differ in anything else.
    """
    if (
        len(
            {
                task.conditions.model_copy(update={"size": (1, 1), "mode": "clip"}).key
                for task in tasks
            }
        )
        != 1
    ):
        raise ValueError("tasks of one measurement may differ in system, size and mode only")
    conditions = tasks[0].conditions
    runs: list[list[SystemRun]] = [[] for _ in tasks]
    reasons: dict[int, str] = {}
    clock = _Clock(conditions, len(tasks), within_s, on_progress)
    for number in range(1, conditions.processes + 1):
        if not clock.fits(number):
            on_note(
                f"{number - 1} of {conditions.processes} processes in {clock.passed_s():.0f} s; one"
                " more would take too long"
            )
            conditions = conditions.model_copy(update={"processes": number - 1})
            break
        clock.begin(number)
        going = [index for index in range(len(tasks)) if index not in reasons]
        for group in (
            [going] if going and conditions.schedule == "rounds" else [[index] for index in going]
        ):
            on_note(
                f"{_named([tasks[index] for index in group])}: process {number} of"
                f" {conditions.processes}"
            )
            for index, answer in zip(
                group,
                run_together([tasks[index] for index in group], number, clock.tell),
                strict=True,
            ):
                if isinstance(answer, SystemRun):
                    runs[index].append(answer)
                else:
                    reasons[index] = answer
    here = Host.here(conditions.device, conditions.threads)
    done = [
        task.model_copy(
            update={
                "conditions": task.conditions.model_copy(update={"processes": conditions.processes})
            }
        )
        for task in tasks
    ]
    return [
        _speed(task, here, runs[index], reasons.get(index, "")) for index, task in enumerate(done)
    ]


class _Clock:
    """Clock that reports the progress of a measurement: means over processes, and time left."""

    def __init__(
        self,
        conditions: SpeedConditions,
        tasks: int,
        within_s: float,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.begun, self.on_progress = perf_counter(), on_progress
        self.processes, self.number, self.within_s = conditions.processes, 1, within_s
        self.tasks, self.seconds = tasks, conditions.seconds
        self.start_s: float | None = None  #: seconds until the first estimate of the first process
        self.each_s = 0.0  #: expected seconds per process
        self.means: dict[str, dict[int, float]] = {}

    def passed_s(self) -> float:
        return perf_counter() - self.begun

    def fits(self, number: int) -> bool:
        """Return whether one more process would end in time if it took as long as the others."""
        return number == 1 or self.passed_s() * number / (number - 1) <= self.within_s

    def begin(self, number: int) -> None:
        self.number = number
        if number > 1:
            self.each_s = self.passed_s() / (number - 1)

    def tell(self, found: RunningMeans) -> None:
        passed = self.passed_s()
        if self.start_s is None:
            self.start_s = passed
        for task, mean in found.means_ms:
            self.means.setdefault(task, {})[self.number] = mean
        if self.number == 1:
            frame_s = fmean(mean for _, mean in found.means_ms) / 1000
            rounds_s = max(ROUNDS * self.seconds, LEAST_FRAMES * frame_s)
            self.each_s = self.start_s + self.tasks * rounds_s
        fitting = max(self.number, int(min(self.within_s / max(self.each_s, 1e-9), self.processes)))
        means = {task: fmean(values.values()) for task, values in self.means.items()}
        left = max(fitting * self.each_s - passed, 0)
        self.on_progress(Progress(means, self.number, self.processes, left))


def _speed(task: SpeedTask, here: Host, runs: Sequence[SystemRun], reason: str) -> Speed:
    found = {"reason": reason} if reason else summary(runs, task.conditions.threads)
    return Speed.model_validate({**dict(task), "host": here, **found})


def _named(tasks: Sequence[SpeedTask]) -> str:
    """Return a short description of tasks for a note."""
    modes, sizes = (
        dict.fromkeys(t.conditions.mode for t in tasks),
        dict.fromkeys("x".join(map(str, t.conditions.size)) for t in tasks),
    )
    names = dict.fromkeys(t.system.name for t in tasks)
    systems = (
        ", ".join(names) if len(names) <= NAMED else f"{len({t.system.key for t in tasks})} systems"
    )
    return f"timing {systems} at {', '.join(sizes)}, {' and '.join(modes)}"


def run_together(
    tasks: Sequence[SpeedTask],
    number: int,
    tell: Callable[[RunningMeans], None] = lambda estimate: None,
) -> list[SystemRun | str]:
    """Return the results of one fresh process, and of further ones if necessary.

    Further processes run the tasks that did not fit into memory, failed, or died with the process.
    A reason for failure therefore always comes from a task alone in its process.
    """
    answer = run_process(Batch(tasks=tuple(tasks), number=number), tell)
    if len(tasks) == 1:
        return [answer] if isinstance(answer, str) else list(answer.results)
    if isinstance(answer, str):
        half = len(tasks) // 2
        return run_together(tasks[:half], number, tell) + run_together(tasks[half:], number, tell)
    held = [
        found if isinstance(found, SystemRun) else run_together([task], number, tell)[0]
        for task, found in zip(tasks, answer.results, strict=False)
    ]
    return held + (run_together(tasks[len(held) :], number, tell) if len(held) < len(tasks) else [])


def run_process(
    batch: Batch, tell: Callable[[RunningMeans], None] = lambda estimate: None
) -> WorkerReport | str:
    """Return the report of one fresh process, or one line with the reason why it has none.

    `tell` is called with each estimate of the process.
    """
    conditions = batch.tasks[0].conditions
    threads, limit = (
        str(conditions.threads),
        START_S + len(batch.tasks) * (conditions.seconds + 3 * conditions.timeout),
    )
    said, late = "", Event()
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(
            command("msaf_bench.analyzers.speed.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            text=True,
        ) as child,
    ):
        timer = Timer(limit, lambda: (late.set(), child.kill()))
        timer.start()
        try:
            said = _listen(child, batch.model_dump_json(), tell)
        finally:
            timer.cancel()
            child.kill()  # has an effect only if this function was interrupted
        errors.seek(0)
        complaints = errors.read().strip().splitlines()
    if late.is_set():
        return f"not finished after {limit:.0f} s"
    if child.returncode < 0:
        return f"its process was killed by signal {-child.returncode}, perhaps for memory"
    if child.returncode:
        return (complaints or [f"its process ended with {child.returncode}"])[-1]
    try:
        return WorkerReport.model_validate_json(said)
    except ValidationError as error:
        return f"its process gave no valid report ({error.errors(include_url=False)[0]['msg']})"


def _listen(
    child: "subprocess.Popen[str]", batch: str, tell: Callable[[RunningMeans], None]
) -> str:
    """Send a batch to a process, wait for its end, and return its output without estimates."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):  # the process has ended; the caller checks its return code
        child.stdin.write(batch)
        child.stdin.close()
    said: list[str] = []
    for line in child.stdout:
        if line.startswith(ESTIMATE):
            tell(RunningMeans.model_validate_json(line.removeprefix(ESTIMATE)))
        else:
            said.append(line)
    child.wait()
    return "".join(said)
