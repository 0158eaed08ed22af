"""Clocks, heat, power and energy of an NVIDIA GPU, asked of the driver's own library (NVML).
Virtual and partitioned devices hide some.
"""

import ctypes

Unsigned = type[ctypes.c_uint] | type[ctypes.c_ulonglong]

CLOCKS = {"sm": 1, "memory": 2}  #: nvmlClockType_t


class Gpu:
    """One GPU. Every method gives None for what the driver does not tell."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self.library = library
        self.handle = handle

    def mhz(self, clock: str) -> int | None:
        """The clock of the multiprocessors ("sm") or of the "memory" now."""
        return self._ask("nvmlDeviceGetClockInfo", ctypes.c_uint, CLOCKS[clock])

    def celsius(self) -> int | None:
        """The temperature of the chip."""
        return self._ask("nvmlDeviceGetTemperature", ctypes.c_uint, 0)

    def milliwatts(self) -> int | None:
        """The power drawn; from Ampere on the mean of the last second."""
        return self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint)

    def milliwatts_cap(self) -> int | None:
        """The power that it may draw."""
        return self._ask("nvmlDeviceGetEnforcedPowerLimit", ctypes.c_uint)

    def clock_event_reasons(self) -> int | None:
        """Why the clocks are not higher, as NVML's bits."""
        return self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.c_ulonglong)

    def millijoules(self) -> int | None:
        """The energy used since the driver was loaded; it moves on every 20 to 100 ms."""
        return self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong)

    def driver(self) -> str:
        """The driver's version."""
        text = ctypes.create_string_buffer(96)
        return (
            text.value.decode()
            if self.library.nvmlSystemGetDriverVersion(text, ctypes.c_uint(96)) == 0
            else "unknown"
        )

    def _ask(self, name: str, kind: Unsigned, *which: int) -> int | None:
        found = kind()
        try:
            error = getattr(self.library, name)(
                self.handle, *(ctypes.c_uint(w) for w in which), ctypes.byref(found)
            )
        except AttributeError:  # an old driver
            return None
        return None if error else int(found.value)


def open_gpu(uuid: str, library: ctypes.CDLL | None = None) -> Gpu | None:
    """The GPU of that UUID (as torch gives it, without "GPU-"), or None where there is no NVIDIA
    driver that knows it.
    """
    try:
        library = library or ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    handle = ctypes.c_void_p()
    if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByUUID(
        f"GPU-{uuid}".encode(), ctypes.byref(handle)
    ):
        return None
    return Gpu(library, handle)
