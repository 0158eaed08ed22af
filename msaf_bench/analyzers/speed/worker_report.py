"""Reports of a fresh process, one for each system that it timed, and its estimates before that.
No torch here.
"""

from typing import Annotated, Literal

from pydantic import Field

from msaf_bench.analyzers.speed.machine import Snapshot
from msaf_bench.host import Host
from msaf_bench.spec import Options, Spec

Finite = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Milliseconds = tuple[Finite, ...]
ESTIMATE = "estimate "  #: begins a line of a process's output that is an `RunningMeans`


class ProcessSummary(Spec):
    """One process in short."""

    first_ms: Finite  #: the first frame: allocation, choice of kernels, compilation
    warm_up: int  #: frames run before counting
    settled: bool  #: whether the warm-up's last medians agreed
    samples: int
    mean_ms: Finite
    p50_ms: Finite
    converged: bool  #: whether the median is known to 1 %
    before: Snapshot
    after: Snapshot
    #: that the samples were taken in, one a round; 0 where they were taken in one go
    turns: int = 0
    beside: int = 0  #: other systems, modes and sizes timed in the same process, in the same rounds
    #: cores that other processes kept busy meanwhile, on average; None where the system does not
    #: tell
    busy_cores: Finite | None = None


class OutputCheck(Spec):
    """The logits of the timed network against those of the eager fp32 network on the same clip."""

    max_abs_difference: Finite
    max_abs: Finite  #: of the eager fp32 logits
    same_class: Finite  #: share of the pixels whose class is the same
    agrees: bool  #: whether the difference is one of rounding at this precision


class PeakMemory(Spec):
    """The highest memory while frames ran."""

    kind: Literal["resident, above the built network", "allocated on the device"]
    weights_bytes: int
    peak_bytes: int | None = None  #: None where the system does not tell
    reserved_bytes: int | None = None  #: what the device's allocator held, None on a CPU


class Energy(Spec):
    """Energy of a frame by the device's own counter, over a window of at least 10 s; None for the
    reason given.
    """

    joules: Finite | None = None
    idle_w: Finite | None = None  #: drawn before the first frame
    window_s: Finite | None = None
    reason: str = ""


class SystemRun(Spec):
    """Everything one process saw of one system in one mode at one size."""

    host: Host
    process: ProcessSummary
    cores: int  #: that it may run on
    cycle: int  #: frames after which the system's work repeats
    wall_ms: Milliseconds  #: each frame by the wall clock, synchronised
    device_ms: Milliseconds = ()  #: each frame by the device's own events; on a GPU alone
    #: the same for each part of the region; by events on a GPU
    parts_ms: tuple[tuple[str, Milliseconds], ...] = ()
    output: OutputCheck
    memory: PeakMemory
    energy: Energy
    facts: Options = ()  #: flags and versions of what computes


class RunningMeans(Spec):
    """Mean latencies of a process so far, in ms, by the id of the task: of the sampling, before it
    those of the warm-up, and first that of one frame.
    """

    means_ms: tuple[tuple[str, Finite], ...]


class WorkerReport(Spec):
    """Results of one process, in the order of its tasks: a run, or the reason why there is none.

    Shorter than the tasks where memory did not hold them all; never empty.
    """

    results: tuple[SystemRun | str, ...] = Field(min_length=1)
