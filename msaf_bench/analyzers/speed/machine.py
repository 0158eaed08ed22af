"""State of the machine during a measurement; unavailable values are None. No torch import here."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from time import process_time

from msaf_bench.analyzers.speed.nvml import Gpu
from msaf_bench.spec import Spec

CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
STAT = Path("/proc/stat")
SLOWED = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}  #: clock event reasons of NVML that keep a GPU below its application clocks


class Snapshot(Spec):
    """State of the machine at one moment."""

    load: float | None = None  #: load average of the last minute
    cpu_mhz: float | None = None  #: clock of the first core
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    celsius: int | None = None
    power_w: float | None = None
    power_cap_w: float | None = None
    slowed: tuple[str, ...] = ()  #: reasons for throttled GPU clocks; empty if not throttled


def snapshot(gpu: Gpu | None = None) -> Snapshot:
    """Return the current load and CPU clock, and clocks, temperature and power of a `gpu`."""
    load, mhz = None, None
    with suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0], 2)
    with suppress(OSError, ValueError):
        mhz = int((CPU / "scaling_cur_freq").read_text()) / 1000
    if gpu is None:
        return Snapshot(load=load, cpu_mhz=mhz)
    power, cap, reasons = gpu.milliwatts(), gpu.milliwatts_cap(), gpu.clock_event_reasons() or 0
    return Snapshot(
        load=load,
        cpu_mhz=mhz,
        sm_mhz=gpu.mhz("sm"),
        memory_mhz=gpu.mhz("memory"),
        celsius=gpu.celsius(),
        power_w=None if power is None else power / 1000,
        power_cap_w=None if cap is None else cap / 1000,
        slowed=tuple(name for bit, name in SLOWED.items() if reasons & bit),
    )


def available_bytes() -> float:
    """Return the memory available without swapping; infinite if the system does not report it."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return (
            int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
        )
    return float("inf")


def others_cpu_s() -> float | None:
    """Return the CPU seconds of other processes on the usable cores since boot.

    Stolen time is included. None if the system does not report it.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    with suppress(OSError, ValueError, IndexError):
        rows = [line.split() for line in STAT.read_text().splitlines()]
        # Columns: user nice system idle iowait irq softirq steal. The guest columns that follow
        # are part of user and nice.
        ticks = sum(
            int(row[i]) for row in rows if row and row[0] in names for i in (1, 2, 3, 6, 7, 8)
        )
        return ticks / os.sysconf("SC_CLK_TCK") - process_time() if ticks else None
    return None


def governor() -> str:
    """Return the CPU frequency governor, or "unknown"."""
    with suppress(OSError):
        return (CPU / "scaling_governor").read_text().strip()
    return "unknown"


def resident_bytes() -> int | None:
    """Return the current resident memory of this process; None if not reported."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Reset the peak and release freed memory, if Linux and glibc allow it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int | None:
    """Return the peak resident memory since `reset_peak`; None if not reported."""
    return _status("VmHWM")


def _status(key: str) -> int | None:
    # Not ru_maxrss, which starts from the parent's peak and cannot be reset.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return None
