"""Clocks, temperature, power and energy of an NVIDIA GPU, read from the driver's library (NVML).

Virtual and partitioned devices hide some of them.
"""

import ctypes

Unsigned = type[ctypes.c_uint] | type[ctypes.c_ulonglong]

CLOCKS = {"sm": 1, "memory": 2}  #: nvmlClockType_t


class Gpu:
    """One GPU; readings are None if the driver does not report them."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self.library = library
        self.handle = handle

    def mhz(self, clock: str) -> int | None:
        """Return the current clock of the multiprocessors ("sm") or of the "memory"."""
        return self._ask("nvmlDeviceGetClockInfo", ctypes.c_uint, CLOCKS[clock])

    def celsius(self) -> int | None:
        """Return the temperature of the chip."""
        return self._ask("nvmlDeviceGetTemperature", ctypes.c_uint, 0)

    def milliwatts(self) -> int | None:
        """Return the power draw; since Ampere, the mean over the last second."""
        return self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint)

    def milliwatts_cap(self) -> int | None:
        """Return the enforced power limit."""
        return self._ask("nvmlDeviceGetEnforcedPowerLimit", ctypes.c_uint)

    def clock_event_reasons(self) -> int | None:
        """Return the reasons for the current clocks as a bit mask of NVML."""
        return self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.c_ulonglong)

    def millijoules(self) -> int | None:
        """Return the energy used since the driver was loaded, updated every 20 to 100 ms."""
        return self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong)

    def driver(self) -> str:
        """Return the driver version, or "unknown"."""
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
    """Open the GPU with this UUID (in the form of torch, without "GPU-").

    None if no NVIDIA driver is installed or it does not know the GPU.
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
