"""Timing tasks, their conditions and the resulting latency. No torch import here.

Latency is the primary quantity; FPS is 1000 / mean latency in ms, batch 1. A system that could not
be timed has a reason instead.
"""

from typing import Literal

from pydantic import Field

from msaf_bench.analyzers.speed.latency import Latency
from msaf_bench.analyzers.speed.worker_report import (
    Energy,
    Finite,
    OutputCheck,
    PeakMemory,
    ProcessSummary,
)
from msaf_bench.host import Host
from msaf_bench.spec import Mode, Names, Options, Side, Spec, System, content_hash


class SpeedConditions(Spec):
    """Conditions that must agree, together with the machine, before two latencies are compared."""

    size: tuple[Side, Side]  #: H, W of a frame
    #: clip: `net(clip)`, every frame computed; stream: `step(frame)`, with the past kept
    mode: Mode
    #: timed region; e2e includes normalisation, upload and download
    region: Literal["forward", "forward+argmax", "e2e"] = "forward+argmax"
    device: str = "cpu"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    #: half precision converts network and input (`net.to(dtype)`); there is no autocast
    cast: Literal["module"] = "module"
    batch: Literal[1] = 1
    channels_last: bool = False
    compiled: bool = False  #: whether torch.compile is applied, with its defaults
    threads: int = Field(ge=1)
    processes: int = Field(3, ge=1)  #: number of fresh processes
    #: sampling time per process; stops earlier after 662 samples; also the limit of the warm-up
    seconds: float = Field(10, gt=0, allow_inf_nan=False)
    #: seconds after which sampling in a process ends, converged or not
    timeout: float = Field(60, gt=0, allow_inf_nan=False)
    #: rounds: all systems in the same processes, interleaved; alone: one process per system
    schedule: Literal["rounds", "alone"] = "alone"

    @property
    def key(self) -> str:
        """Content hash."""
        return content_hash(self.canonical())


class SpeedTask(Spec):
    """System to be timed, with its conditions."""

    system: System
    conditions: SpeedConditions
    num_classes: int = Field(ge=1)
    plugins: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Content hash, without plug-ins."""
        return content_hash(f"{self.system.key} {self.conditions.key} {self.num_classes}")


class Batch(Spec):
    """Tasks of one process; they differ in system, size and mode only."""

    tasks: tuple[SpeedTask, ...] = Field(min_length=1)
    number: int  #: number of the process, and seed of the order within rounds


class Timing(Spec):
    """Latency measured on one machine, or the reason why it is missing."""

    host: Host
    reason: str = ""
    latency: Latency | None = None  #: wall time, synchronised, as seen by a user
    device_latency: Latency | None = None  #: device time by events; None on a CPU
    #: latency of each stage of the region, including "forward"; by events on a GPU
    parts: tuple[tuple[str, Latency], ...] = ()
    #: median of each frame of the cycle; empty for a cycle of one frame
    phases_ms: tuple[Finite, ...] = ()
    processes: tuple[ProcessSummary, ...] = ()
    #: (highest - lowest) / median of the medians per process; None for one process
    spread: Finite | None = None
    output: OutputCheck | None = None  #: the worst check of all processes
    memory: PeakMemory | None = None  #: the highest peak of all processes
    energy: Energy | None = None
    facts: Options = ()
    flags: Names = ()  #: reasons to distrust the latency: flag and sentence

    @property
    def fps(self) -> float | None:
        """Frames per second: 1000 / mean latency, never the mean of 1 / latency."""
        return 1000 / self.latency.mean if self.latency and self.latency.mean else None

    @property
    def converged(self) -> bool:
        """Whether the median of every process is known to 1 %."""
        return bool(self.processes) and all(p.converged for p in self.processes)


class Speed(Timing, SpeedTask):
    """Latency of one system under one set of conditions, measured in fresh processes."""


class ModuleSpeed(Timing):
    """Latency of a module, measured in the caller's process with everything else in it."""

    name: str
    conditions: SpeedConditions
    measured_in: Literal["this process"] = "this process"
