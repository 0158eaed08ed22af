"""What else the machine was doing while something was timed. No torch here; what a machine does not
tell is None.
"""

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
}  #: NVML's clock event reasons that make a GPU slower than its application clocks


class Snapshot(Spec):
    """The machine at one moment."""

    load: float | None = None  #: processes that want a core, mean of the last minute
    cpu_mhz: float | None = None  #: of the first core
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    celsius: int | None = None
    power_w: float | None = None
    power_cap_w: float | None = None
    slowed: tuple[str, ...] = ()  #: why the GPU's clocks are held down, if they are


def snapshot(gpu: Gpu | None = None) -> Snapshot:
    """Load and clocks now; with a `gpu` its clocks, heat and power too."""
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
    """Memory that can be taken without swapping; infinite where the system does not tell."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return (
            int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
        )
    return float("inf")


def others_cpu_s() -> float | None:
    """CPU seconds that the usable cores have spent on other processes since the machine started,
    stolen time included.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    with suppress(OSError, ValueError, IndexError):
        rows = [line.split() for line in STAT.read_text().splitlines()]
        # user nice system idle iowait irq softirq steal; the guests after them are part of user and
        # nice
        ticks = sum(
            int(row[i]) for row in rows if row and row[0] in names for i in (1, 2, 3, 6, 7, 8)
        )
        return ticks / os.sysconf("SC_CLK_TCK") - process_time() if ticks else None
    return None


def governor() -> str:
    """How the system sets the CPU's clock."""
    with suppress(OSError):
        return (CPU / "scaling_governor").read_text().strip()
    return "unknown"


def resident_bytes() -> int | None:
    """Memory of this process now."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Forgets the peak so far and gives freed memory back, where Linux and glibc allow it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int | None:
    """The highest resident memory since `reset_peak`."""
    return _status("VmHWM")


def _status(key: str) -> int | None:
    # Not ru_maxrss: it starts from the parent's peak and cannot be set back.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return None
