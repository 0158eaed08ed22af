"""What is to be timed, under which conditions, and the latency that came out. No torch here.

Latency comes first; FPS is 1000 / mean latency in ms, batch 1. A system that could not be timed has
a reason instead.
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


class Timing(Spec):
    """Latency measured on one machine; without `latency` there is a `reason`."""

    host: Host
    reason: str = ""
    latency: Latency | None = None  #: by the wall clock, synchronised: what a user sees
    device_latency: Latency | None = None  #: by the device's events; None on a CPU
    #: of the region, "forward" among them; by events on a GPU
    parts: tuple[tuple[str, Latency], ...] = ()
    #: median of each frame of the system's cycle, where it has one
    phases_ms: tuple[Finite, ...] = ()
    processes: tuple[ProcessSummary, ...] = ()
    #: (highest - lowest) / median of the processes' medians; None for one process
    spread: Finite | None = None
    output: OutputCheck | None = None  #: the worst of the processes
    memory: PeakMemory | None = None  #: likewise
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


class Speed(Timing, SpeedTask):
    """The latency of one system under one set of conditions, in fresh processes."""


class ModuleSpeed(Timing):
    """The latency of a module in hand, beside whatever else its process holds."""

    name: str
    conditions: SpeedConditions
    measured_in: Literal["this process"] = "this process"
