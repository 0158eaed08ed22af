"""Latency of a frame: one call for systems, timed in fresh processes, and for a module in hand,
timed in this one.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from torch import nn

from msaf_bench.analyzers.clip_network import as_network
from msaf_bench.analyzers.speed.aggregate import summary
from msaf_bench.analyzers.speed.processes import measure_speed
from msaf_bench.analyzers.speed.tasks import ModuleSpeed, Speed, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.worker import time_module
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError
from msaf_bench.host import Host, usable_cores
from msaf_bench.spec import Mode, System


def latency(
    net_or_name: System | str | nn.Module,
    size: tuple[int, int],
    *,
    mode: Mode = "clip",
    seconds: float = 10,
    timeout: float | None = None,
    device: str = "cpu",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    region: Literal["forward", "forward+argmax", "e2e"] = "forward+argmax",
    threads: int | None = None,
    processes: int = 3,
    num_classes: int = 19,
    frames: int | None = None,
    plugins: Iterable[str] = (),
    on_note: Callable[[str], None] = lambda text: None,
) -> Speed | ModuleSpeed:
    """Return the latency of a frame, batch 1: percentiles with intervals, FPS, and what speaks
    against the number.

        found = mb.latency("msaf-r18", (512, 1024), mode="stream")
        found.latency.p50.value, found.fps, found.flags

    A system is built with random weights and timed in fresh processes that run alone. A module in
    hand is timed in this process, on a copy: `measured_in` says so. Its threads are those of torch.

    Args:
        net_or_name: A system, its name or .toml file, or a module in hand.
        size: H, W of a frame.
        mode: clip: `net(clip)`, all frames computed; stream: one `step(frame)`, past kept.
        seconds: Sampling time per process; stops earlier after 662 samples.
        timeout: Seconds after which noisy sampling ends; six times `seconds` by default.
        device: cpu, cuda or cuda:N.
        precision: Of network and input; there is no autocast.
        region: What is timed: the forward pass, with the argmax, or from picture to label map.
        threads: CPU threads of a system's processes; the usable cores by default.
        processes: Fresh processes for a system.
        num_classes: Classes that a system is built for.
        frames: Frames of the clip (1, T, 3, H, W) that a module reads; by default its attribute
            `frames`, without which it reads one picture (1, 3, H, W).
        plugins: Modules with `register(registry)`.
        on_note: Called with a line before each process.

    Raises:
        UsageError: an unknown system, or a stream of a module that has none.
    """
    hand = isinstance(net_or_name, nn.Module)
    conditions = SpeedConditions(
        size=size,
        mode=mode,
        region=region,
        device=device,
        precision=precision,
        threads=_torch_threads() if hand else threads or usable_cores(),
        processes=1 if hand else processes,
        seconds=seconds,
        timeout=6 * seconds if timeout is None else timeout,
    )
    if isinstance(net_or_name, nn.Module):
        return _module_speed(net_or_name, frames, conditions)
    system = read_system(net_or_name) if isinstance(net_or_name, str) else net_or_name
    task = SpeedTask(
        system=system, conditions=conditions, num_classes=num_classes, plugins=tuple(plugins)
    )
    return measure_speed([task], on_note=on_note)[0]


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def _module_speed(
    module: nn.Module, frames: int | None, conditions: SpeedConditions
) -> ModuleSpeed:
    name = type(module).__name__
    if conditions.mode == "stream" and not isinstance(module, VideoNetwork):
        raise UsageError(f"mode 'stream': {name} has no method stream(); use mode 'clip'")
    run = time_module(as_network(module, frames), conditions)
    found = {"reason": run} if isinstance(run, str) else summary([run], conditions.threads)
    here = Host.here(conditions.device, conditions.threads)
    return ModuleSpeed.model_validate(
        {"name": name, "conditions": conditions, "host": here, **found}
    )
