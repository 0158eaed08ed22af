"""Runs a plan: what is missing, and nothing else."""

from importlib.util import find_spec
from typing import Literal

import torch

from msaf_bench.data import open_split
from msaf_bench.errors import HostError, UsageError
from msaf_bench.records import Record
from msaf_bench.sweep import local
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.trial import Setting, prepare

Executor = Literal["ray", "local"]


def default_executor() -> Executor:
    """Ray where it is installed, else the plain loop."""
    return "ray" if find_spec("ray") else "local"


def check_device(device: str) -> None:
    """Raises `UsageError` for a device that this machine does not have."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise UsageError(f"no device {device!r} here; there is {', '.join(there)}") from error


def run_sweep(
    plan: Plan,
    setting: Setting,
    events: Events,
    *,
    on: Executor = "local",
    resume: bool = False,
    address: str | None = None,
    workers: int | None = None,
    gpus: float = 0.0,
) -> dict[str, Record]:
    """Runs the trials of the plan that have no finished record, failed ones again; gives the records that were there before.

    The data are opened and the device is tried before anything else, so that what would stop every trial stops the sweep at once.
    """
    with setting.workspace.lock():
        done = setting.workspace.adopt(plan, resume=resume)
        missing = [trial for trial in plan.trials() if trial.id not in done]
        if not missing:
            return done
        check_device(setting.device)
        for split in ("train", "score"):
            open_split(plan.conditions, split, setting.root)
        setting = prepare(missing[0].system, plan.conditions, setting, events.step, events.note)
        if on == "local":
            local.run(missing, setting, events)
            return done
        try:
            from msaf_bench.sweep import on_ray
        except ImportError as error:
            raise HostError(f"Ray cannot be imported ({error}); install msaf-bench's own requirements or use --on local") from error
        on_ray.run(missing, setting, events, on_ray.Cluster(address, workers, gpus))
        return done
