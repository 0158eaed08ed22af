"""Load, clocks and energy, with a driver that is made up: what it does not tell stays unknown."""

import ctypes
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.speed import cuda as speed_cuda
from msaf_bench.analyzers.speed.machine import (
    peak_bytes,
    reset_peak,
    resident_bytes,
    snapshot,
)
from msaf_bench.analyzers.speed.nvml import Gpu, open_gpu
from msaf_bench.host import usable_cores


class Driver:
    """A stand-in for libnvidia-ml: values by function, each written where the pointer says; what is
    not there fails or is missing.
    """

    def __init__(self, known: bool = True, **values: Callable[..., int]) -> None:
        self.known, self.values, self.asked = known, values, b""

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:  # noqa: N802
        self.asked = uuid
        return 0 if self.known else 6

    def nvmlSystemGetDriverVersion(self, text: Any, size: Any) -> int:  # noqa: N802
        text.value = b"570.1"
        return 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name not in self.values:
            raise AttributeError(name)

        def answer(handle: Any, *arguments: Any) -> int:
            *which, pointer = arguments
            value = self.values[name](*(w.value for w in which))
            if value < 0:
                return 3  # not supported
            pointer._obj.value = value
            return 0

        return answer


FULL = {
    "nvmlDeviceGetClockInfo": lambda clock: {1: 1410, 2: 2619}[clock],
    "nvmlDeviceGetTemperature": lambda sensor: 41 + sensor,
    "nvmlDeviceGetPowerUsage": lambda: 71_500,
    "nvmlDeviceGetEnforcedPowerLimit": lambda: 700_000,
    "nvmlDeviceGetCurrentClocksThrottleReasons": lambda: 0x1 | 0x4 | 0x40,
}


def gpu(**values: Any) -> Gpu:
    found = open_gpu("1-2", Driver(**values))
    assert found is not None
    return found


def test_a_gpus_state():
    driver = Driver(**FULL)
    found = open_gpu("1-2", driver)
    assert found is not None
    assert driver.asked == b"GPU-1-2"
    assert found.driver() == "570.1"
    now = snapshot(found)
    assert (now.sm_mhz, now.memory_mhz, now.celsius, now.power_w, now.power_cap_w) == (
        1410,
        2619,
        41,
        71.5,
        700,
    )
    assert now.slowed == ("software power cap", "hardware thermal slowdown")  # idle is no slowdown


def test_what_the_driver_does_not_tell_is_unknown():
    now = snapshot(gpu(nvmlDeviceGetPowerUsage=lambda: -1))
    assert (now.sm_mhz, now.memory_mhz, now.celsius, now.power_w, now.power_cap_w, now.slowed) == (
        None,
        None,
        None,
        None,
        None,
        (),
    )


def test_no_driver(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert open_gpu("1-2") is None
    assert open_gpu("1-2", Driver(known=False)) is None


def test_energy_of_a_frame():
    """7 J between two readings, whatever number of frames fits in between."""
    frames = count()
    readings = iter([5_000, 12_000])
    found = speed_cuda.energy(
        gpu(nvmlDeviceGetTotalEnergyConsumption=lambda: next(readings)),
        lambda: next(frames),
        idle_w=70,
        seconds=10,
        window_s=0.01,
    )
    assert found.joules == pytest.approx(7 / next(frames))
    assert found.window_s is not None
    assert found.window_s >= 0.01
    assert (found.idle_w, found.reason) == (70, "")


def test_no_energy_is_a_reason():
    unsupported = speed_cuda.energy(gpu(), lambda: None, idle_w=None, seconds=10)
    short = speed_cuda.energy(
        gpu(nvmlDeviceGetTotalEnergyConsumption=lambda: 5), lambda: None, idle_w=70, seconds=1
    )
    none = speed_cuda.energy(None, lambda: None, idle_w=None, seconds=10)
    once = iter([5])
    silent = gpu(nvmlDeviceGetTotalEnergyConsumption=lambda: next(once, -1))
    lost = speed_cuda.energy(silent, lambda: None, idle_w=None, seconds=10, window_s=0.01)
    assert [found.joules for found in (unsupported, short, none, lost)] == [None] * 4
    assert "stopped" in lost.reason
    assert "no energy counter" in unsupported.reason
    assert "10 s" in short.reason
    assert none.reason
    assert short.idle_w == 70


def test_events_wait_once_at_the_end(monkeypatch: pytest.MonkeyPatch):
    """Stages that move a made-up device's clock by 3 and 5 ms; nothing is read before the one
    synchronisation.
    """
    clock, waits = [0.0], [0]

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            assert not waits[0]
            self.at = clock[0]

        def elapsed_time(self, later: "Event") -> float:
            assert waits[0] == 1
            return later.at - self.at

    def work(ms: float) -> Callable[[Any], Any]:
        def stage(value: Any) -> Any:
            clock[0] += ms
            return value + 1

        return stage

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.__setitem__(0, waits[0] + 1))
    assert speed_cuda.device_laps([work(3), work(5)], iter(range(10)), 4) == [[3, 5]] * 4


def test_this_machine():
    assert usable_cores() >= 1
    now = snapshot()
    assert now.load is None or now.load >= 0
    assert (now.sm_mhz, now.power_w, now.slowed) == (None, None, ())


@pytest.mark.slow
def test_the_peak_can_be_forgotten():
    if resident_bytes() is None or peak_bytes() is None:
        pytest.skip("this system does not tell a process's memory")
    np.ones(2**24)  # 128 MiB
    before = peak_bytes() or 0
    reset_peak()
    low = peak_bytes() or 0
    if low == before:
        pytest.skip("this kernel does not forget the peak")
    held = np.ones(2**23)
    del held
    high = peak_bytes() or 0
    assert high - low == pytest.approx(2**26, rel=0.2)
