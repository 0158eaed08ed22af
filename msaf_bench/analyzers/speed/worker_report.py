"""Messages of a worker process: estimates, then one result per system. No torch import here."""

from typing import Annotated, Literal

from pydantic import Field

from msaf_bench.analyzers.speed.machine import Snapshot
from msaf_bench.host import Host
from msaf_bench.spec import Options, Spec

Finite = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Milliseconds = tuple[Finite, ...]
ESTIMATE = "estimate "  #: prefix of an output line with a `RunningMeans`


class ProcessSummary(Spec):
    """Summary of one process."""

    first_ms: Finite  #: time of the first frame: allocation, choice of kernels, compilation
    warm_up: int  #: frames run before counting
    settled: bool  #: whether the last medians of the warm-up agreed
    samples: int
    mean_ms: Finite
    p50_ms: Finite
    converged: bool  #: whether the median is known to 1 %
    before: Snapshot
    after: Snapshot
    #: number of turns of the sampling, one per round; 0 for records sampled without rounds
    turns: int = 0
    beside: int = 0  #: number of other systems, modes and sizes timed in the same rounds
    #: mean number of cores kept busy by other processes; None if the system does not report it
    busy_cores: Finite | None = None


class OutputCheck(Spec):
    """Logits of the timed network compared with the eager fp32 network on the same clip."""

    max_abs_difference: Finite
    max_abs: Finite  #: largest absolute logit of the eager fp32 network
    same_class: Finite  #: share of pixels with the same class
    agrees: bool  #: whether the difference is within rounding at this precision


class PeakMemory(Spec):
    """Peak memory while frames ran."""

    kind: Literal["resident, above the built network", "allocated on the device"]
    weights_bytes: int
    peak_bytes: int | None = None  #: None if the system does not report it
    reserved_bytes: int | None = None  #: memory held by the device's allocator; None on a CPU


class Energy(Spec):
    """Energy per frame by the device's counter over at least 10 s, or the reason for its lack."""

    joules: Finite | None = None
    idle_w: Finite | None = None  #: power drawn before the first frame
    window_s: Finite | None = None
    reason: str = ""


class SystemRun(Spec):
    """All measurements of one system in one mode at one size by one process."""

    host: Host
    process: ProcessSummary
    cores: int  #: number of usable cores
    cycle: int  #: number of frames after which the work repeats
    wall_ms: Milliseconds  #: wall time of each frame, synchronised
    device_ms: Milliseconds = ()  #: device time of each frame by events; empty on a CPU
    #: time of each frame for each stage of the region; by events on a GPU
    parts_ms: tuple[tuple[str, Milliseconds], ...] = ()
    output: OutputCheck
    memory: PeakMemory
    energy: Energy
    facts: Options = ()  #: settings and versions of libraries and drivers


class RunningMeans(Spec):
    """Mean latencies of a process so far in ms, by task id.

    They come first from one frame, then from the warm-up, then from the sampling.
    """

    means_ms: tuple[tuple[str, Finite], ...]


class WorkerReport(Spec):
    """Results of one process in the order of its tasks: a run, or the reason why it failed.

    Shorter than the tasks if not all fit into memory; never empty.
    """

    results: tuple[SystemRun | str, ...] = Field(min_length=1)
