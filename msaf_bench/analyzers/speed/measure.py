"""Latency of a frame: in a few fresh processes, one at a time, each of which times all systems in
rounds. No torch here.

Latency comes first; FPS is 1000 / mean latency in ms, batch 1. A system that could not be timed has
a reason instead.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field, ValidationError

from msaf_bench.analyzers.speed.latency import Latency
from msaf_bench.analyzers.speed.run import Energy, Finite, Memory, Output, Process, Report, Run
from msaf_bench.analyzers.speed.summary import summary
from msaf_bench.children import command
from msaf_bench.host import Host
from msaf_bench.spec import Mode, Names, Options, Side, Spec, System, content_hash

START_S = 900  #: a process may take this long beside its budget: imports, building, compiling
NAMED = 4  #: systems above which a note gives their number


class SpeedConditions(Spec):
    """All that must agree before two latencies may be compared, beside the machine."""

    size: tuple[Side, Side]  #: H, W of a frame
    #: `net(clip)`, every frame computed; or `step(frame)`, with what the past frames gave kept
    mode: Mode
    #: e2e: with normalising, upload and download
    region: Literal["forward", "forward+argmax", "e2e"] = "forward+argmax"
    device: str = "cpu"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    #: half precision converts network and input (`net.to(dtype)`); there is no autocast
    cast: Literal["module"] = "module"
    batch: Literal[1] = 1
    channels_last: bool = False
    compiled: bool = False  #: by torch.compile at its defaults
    threads: int = Field(ge=1)
    processes: int = Field(3, ge=1)  #: fresh ones
    #: sampling in a process, unless 662 samples come first; also ends the warm-up
    seconds: float = Field(10, gt=0, allow_inf_nan=False)
    #: seconds of sampling in a process after which it ends, converged or not
    timeout: float = Field(60, gt=0, allow_inf_nan=False)
    #: all systems in the same processes, in interleaved rounds; or a process for each
    schedule: Literal["rounds", "alone"] = "alone"

    @property
    def key(self) -> str:
        """Content hash."""
        return content_hash(self.canonical())


class SpeedTask(Spec):
    """What is to be timed, and how."""

    system: System
    conditions: SpeedConditions
    num_classes: int = Field(ge=1)
    plugins: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Content hash; plug-ins have no part in it."""
        return content_hash(f"{self.system.key} {self.conditions.key} {self.num_classes}")


class Batch(Spec):
    """Tasks of one process, which differ in system, size and mode only."""

    tasks: tuple[SpeedTask, ...] = Field(min_length=1)
    number: int  #: of the process; the order of the rounds is drawn from it


class Speed(SpeedTask):
    """The latency of one system under one set of conditions on one machine; without `latency` there
    is a `reason`.
    """

    host: Host
    reason: str = ""
    latency: Latency | None = None  #: by the wall clock, synchronised: what a user sees
    device_latency: Latency | None = None  #: by the device's events; None on a CPU
    #: of the region, "forward" among them; by events on a GPU
    parts: tuple[tuple[str, Latency], ...] = ()
    #: median of each frame of the system's cycle, where it has one
    phases_ms: tuple[Finite, ...] = ()
    processes: tuple[Process, ...] = ()
    #: (highest - lowest) / median of the processes' medians; None for one process
    spread: Finite | None = None
    output: Output | None = None  #: the worst of the processes
    memory: Memory | None = None  #: likewise
    energy: Energy | None = None
    facts: Options = ()
    flags: Names = ()  #: what speaks against the number: word and sentence

    @property
    def fps(self) -> float | None:
        """1000 / mean latency, never the mean of 1 / latency."""
        return 1000 / self.latency.mean if self.latency and self.latency.mean else None

    @property
    def converged(self) -> bool:
        """Whether every process knew its median to 1 %."""
        return bool(self.processes) and all(p.converged for p in self.processes)


def measure_speed(
    tasks: Sequence[SpeedTask], *, on_note: Callable[[str], None] = lambda text: None
) -> list[Speed]:
    """Time every task in `conditions.processes` fresh processes, one at a time, and return a
    `Speed` for each, in the same order.

    The tasks may differ in system, size and mode only. A task that fails gets the reason and is not
    tried in later processes.
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
    runs: list[list[Run]] = [[] for _ in tasks]
    reasons: dict[int, str] = {}
    for number in range(1, conditions.processes + 1):
        going = [index for index in range(len(tasks)) if index not in reasons]
        for group in (
            [going] if going and conditions.schedule == "rounds" else [[index] for index in going]
        ):
            on_note(
                f"{_named([tasks[index] for index in group])}: process {number} of"
                f" {conditions.processes}"
            )
            for index, answer in zip(
                group, run_together([tasks[index] for index in group], number), strict=True
            ):
                if isinstance(answer, Run):
                    runs[index].append(answer)
                else:
                    reasons[index] = answer
    here = Host.here(conditions.device, conditions.threads)
    return [
        _speed(task, here, runs[index], reasons.get(index, "")) for index, task in enumerate(tasks)
    ]


def _speed(task: SpeedTask, here: Host, runs: Sequence[Run], reason: str) -> Speed:
    found = {"reason": reason} if reason else summary(runs, task.conditions.threads)
    return Speed.model_validate({**dict(task), "host": here, **found})


def _named(tasks: Sequence[SpeedTask]) -> str:
    """Say in a few words which tasks these are."""
    modes, sizes = (
        dict.fromkeys(t.conditions.mode for t in tasks),
        dict.fromkeys("x".join(map(str, t.conditions.size)) for t in tasks),
    )
    names = dict.fromkeys(t.system.name for t in tasks)
    systems = (
        ", ".join(names) if len(names) <= NAMED else f"{len({t.system.key for t in tasks})} systems"
    )
    return f"timing {systems} at {', '.join(sizes)}, {' and '.join(modes)}"


def run_together(tasks: Sequence[SpeedTask], number: int) -> list[Run | str]:
    """Return the results of one fresh process; of further ones for tasks that it could not hold,
    that failed in it or died with it.

    A reason is therefore always that of a task which was alone in its process.
    """
    answer = run_process(Batch(tasks=tuple(tasks), number=number))
    if len(tasks) == 1:
        return [answer] if isinstance(answer, str) else list(answer.results)
    if isinstance(answer, str):
        half = len(tasks) // 2
        return run_together(tasks[:half], number) + run_together(tasks[half:], number)
    held = [
        found if isinstance(found, Run) else run_together([task], number)[0]
        for task, found in zip(tasks, answer.results, strict=False)
    ]
    return held + (run_together(tasks[len(held) :], number) if len(held) < len(tasks) else [])


def run_process(batch: Batch) -> Report | str:
    """Return the report of one fresh process, or in one line why there is none."""
    conditions = batch.tasks[0].conditions
    threads, limit = (
        str(conditions.threads),
        START_S + len(batch.tasks) * (conditions.seconds + 3 * conditions.timeout),
    )
    try:
        done = subprocess.run(
            command("msaf_bench.analyzers.speed.process"),
            input=batch.model_dump_json(),
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            check=False,
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {limit:.0f} s"
    if done.returncode < 0:
        return f"its process was killed by signal {-done.returncode}, perhaps for memory"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[
            -1
        ]
    try:
        return Report.model_validate_json(done.stdout)
    except ValidationError as error:
        return f"its process gave no valid report ({error.errors(include_url=False)[0]['msg']})"
