"""Latency per frame: of a system in fresh processes, or of a module in this process."""

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
    """Return the latency per frame at batch 1: percentiles with intervals, FPS, and flags.

        found = mb.latency("msaf-r18", (512, 1024), mode="stream")
        found.latency.p50.value, found.fps, found.flags

    A system is built with random weights and timed in fresh processes, one at a time. A module is
    copied and timed in this process (`measured_in` records this) with the thread count of torch.

    Args:
        net_or_name: A system, its name or .toml file, or a module.
        size: H, W of a frame.
        mode: clip: `net(clip)`, all frames computed; stream: one `step(frame)`, past kept.
        seconds: Sampling time per process in seconds; stops earlier after 662 samples.
        timeout: Seconds after which noisy sampling ends; six times `seconds` by default.
        device: cpu, cuda or cuda:N.
        precision: Precision of network and input; autocast is not used.
        region: Timed region: forward pass, forward pass and argmax, or from image to label map
            (e2e).
        threads: CPU threads of a system's processes; by default the number of usable cores.
        processes: Number of fresh processes for a system.
        num_classes: Number of classes of a system.
        frames: Number of frames T of a module's input (1, T, 3, H, W). Defaults to its attribute
            `frames`; without it, the input is one image (1, 3, H, W).
        plugins: Modules with `register(registry)`.
        on_note: Called with one line before each process.

    Raises:
        UsageError: If a system is unknown, or `mode` is stream and a module has no stream.
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
