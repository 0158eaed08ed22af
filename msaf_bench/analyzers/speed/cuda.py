"""GPU measurements beside wall time: events, peak memory of the allocator, energy, settings."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import torch

from msaf_bench.analyzers.speed.nvml import Gpu, open_gpu
from msaf_bench.analyzers.speed.worker_report import Energy, PeakMemory
from msaf_bench.spec import Scalar

WINDOW_S = 10.0  #: seconds per energy reading; the counter is updated every 20 to 100 ms


def driver_of_current() -> Gpu | None:
    """Open the current device in the driver's library; None if the driver does not know it."""
    return open_gpu(str(getattr(torch.cuda.get_device_properties(), "uuid", "")))  # pyright: ignore


def device_laps(
    stages: Sequence[Callable[[Any], Any]], feed: Iterator[Any], laps: int
) -> list[list[float]]:
    """Return the time in ms of each stage of each lap by the device's clock.

    Events are queued with the work; the only synchronisation is at the end.
    """
    events = [
        [torch.cuda.Event(enable_timing=True) for _ in range(len(stages) + 1)] for _ in range(laps)
    ]
    for marks in events:
        value = next(feed)
        marks[0].record()
        for stage, mark in zip(stages, marks[1:], strict=True):
            value = stage(value)
            mark.record()
    torch.cuda.synchronize()
    return [[a.elapsed_time(b) for a, b in pairwise(marks)] for marks in events]


class Held(NamedTuple):
    """Bytes of device memory held by this process."""

    allocated: int
    reserved: int


def reset_memory() -> Held:
    """Release unused memory, reset the peak, and return the memory still held."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return Held(torch.cuda.memory_allocated(), torch.cuda.memory_reserved())


def memory(weights_bytes: int, built: Held) -> PeakMemory:
    """Return the peak memory since `reset_memory` returned `built`, for one network only.

    Memory of other networks, held at that time, is subtracted.
    """
    return PeakMemory(
        kind="allocated on the device",
        weights_bytes=weights_bytes,
        peak_bytes=torch.cuda.max_memory_allocated() - built.allocated + weights_bytes,
        reserved_bytes=torch.cuda.max_memory_reserved() - built.reserved + weights_bytes,
    )


def energy(
    gpu: Gpu | None,
    take: Callable[[], object],
    *,
    idle_w: float | None,
    seconds: float,
    window_s: float = WINDOW_S,
) -> Energy:
    """Measure the energy per frame in joules.

    Args:
        gpu: GPU, or None if the driver does not know it.
        take: Runs one frame.
        idle_w: Power drawn before the first frame, in watts, for the record.
        seconds: Time budget; the window must fit into it.
        window_s: Length of the window in seconds.
    """
    before = gpu.millijoules() if gpu else None
    if gpu is None or before is None:
        return Energy(idle_w=idle_w, reason="the driver has no energy counter for this device")
    if seconds < window_s:
        return Energy(
            idle_w=idle_w,
            reason=f"needs a window of {window_s:g} s, the budget is {seconds:g} s",
        )
    begin, frames = perf_counter(), 0
    while (passed := perf_counter() - begin) < window_s:
        take()
        frames += 1
    if (after := gpu.millijoules()) is None:
        return Energy(idle_w=idle_w, reason="the driver's energy counter stopped answering")
    return Energy(joules=(after - before) / 1000 / frames, idle_w=idle_w, window_s=passed)


def facts(gpu: Gpu | None) -> dict[str, Scalar]:
    """Return the versions and settings that affect GPU speed, without changing any."""
    cudnn = torch.backends.cudnn
    return {
        "cuda": torch.version.cuda or "none",
        "cudnn": cudnn.version() or 0,
        "driver": gpu.driver() if gpu else "unknown",
        "cudnn.benchmark": cudnn.benchmark,
        "cudnn.deterministic": cudnn.deterministic,
        "cudnn.allow_tf32": cudnn.allow_tf32,
        "matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32,
    }
