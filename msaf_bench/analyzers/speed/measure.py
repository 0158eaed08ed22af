"""Latency of a frame, measured alone: in fresh processes, one at a time, systems in turn. No torch here; the processes have it.

Latency comes first; FPS is 1000 / mean latency in ms, batch 1. A system that could not be timed has a reason instead.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field, ValidationError

from msaf_bench.analyzers.speed.latency import Latency
from msaf_bench.analyzers.speed.run import Energy, Finite, Memory, Output, Process, Run
from msaf_bench.analyzers.speed.summary import summary
from msaf_bench.records import Host
from msaf_bench.spec import Names, Options, Side, Spec, System, content_hash

START_S = 900  #: a process may take this long beside its budget: imports, building, compiling


class SpeedConditions(Spec):
    """All that must agree before two latencies may be compared, beside the machine."""

    size: tuple[Side, Side]  #: H, W of a frame
    mode: Literal["clip", "stream"]  #: `net(clip)`, every frame computed; or `step(frame)`, with what the past frames gave kept
    region: Literal["forward", "forward+argmax", "e2e"] = "forward+argmax"  #: e2e: with normalising, upload and download
    device: str = "cpu"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    cast: Literal["module"] = "module"  #: half precision converts network and input (`net.to(dtype)`); there is no autocast
    batch: Literal[1] = 1
    channels_last: bool = False
    compiled: bool = False  #: by torch.compile at its defaults
    threads: int = Field(ge=1)
    processes: int = Field(3, ge=1)  #: fresh ones
    seconds: float = Field(10, gt=0, allow_inf_nan=False)  #: of samples in a process, unless 662 are had before; of warm-up at most
    timeout: float = Field(60, gt=0, allow_inf_nan=False)  #: seconds of sampling after which a process stops, converged or not

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


class Speed(SpeedTask):
    """The latency of one system under one set of conditions on one machine; without `latency` there is a `reason`."""

    host: Host
    reason: str = ""
    latency: Latency | None = None  #: by the wall clock, synchronised: what a user sees
    device_latency: Latency | None = None  #: by the device's events; None on a CPU
    parts: tuple[tuple[str, Latency], ...] = ()  #: of the region, "forward" among them; by events on a GPU
    phases_ms: tuple[Finite, ...] = ()  #: median of each frame of the system's cycle, where it has one
    processes: tuple[Process, ...] = ()
    spread: Finite | None = None  #: (highest - lowest) / median of the processes' medians; None for one process
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
    systems: Mapping[str, System],
    conditions: SpeedConditions,
    *,
    num_classes: int,
    plugins: Sequence[str] = (),
    on_note: Callable[[str], None] = lambda text: None,
) -> dict[str, Speed]:
    """Times every system in `conditions.processes` fresh processes, one at a time, round by round: A B A B, not A A B B.

    A system whose process fails gets the reason and is not started again; the others go on.
    """
    tasks = {
        label: SpeedTask(system=system, conditions=conditions, num_classes=num_classes, plugins=tuple(plugins))
        for label, system in systems.items()
    }
    runs: dict[str, list[Run]] = {label: [] for label in tasks}
    reasons: dict[str, str] = {}
    for number in range(1, conditions.processes + 1):
        for label in (label for label in tasks if label not in reasons):
            height, width = conditions.size
            on_note(f"{label}, {height}x{width} {conditions.mode}: process {number} of {conditions.processes}")
            answer = run_alone(tasks[label])
            if isinstance(answer, Run):
                runs[label].append(answer)
            else:
                reasons[label] = answer
    here = Host.here(conditions.device, conditions.threads)
    return {
        label: Speed.model_validate(
            {**dict(task), "host": here, **({"reason": reasons[label]} if label in reasons else summary(runs[label], conditions.threads))}
        )
        for label, task in tasks.items()
    }


def run_alone(task: SpeedTask) -> Run | str:
    """The report of one fresh process, or in one line why there is none."""
    threads, limit = str(task.conditions.threads), START_S + task.conditions.seconds + 3 * task.conditions.timeout
    try:
        done = subprocess.run(
            [sys.executable, "-m", "msaf_bench.analyzers.speed.process"],
            input=task.model_dump_json(),
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
        return (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]
    try:
        return Run.model_validate_json(done.stdout)
    except ValidationError as error:
        return f"its process gave no valid report ({error.errors(include_url=False)[0]['msg']})"
