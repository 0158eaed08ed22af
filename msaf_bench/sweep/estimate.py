"""Estimates of a sweep: GPU memory and time of one training step per row.

Steps are timed here, or their time is computed from counted operations for a GPU.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import family_of
from msaf_bench.errors import UsageError
from msaf_bench.host import check_device, limited_threads
from msaf_bench.spec import Conditions
from msaf_bench.stats import level_of_each, power_sentence
from msaf_bench.sweep.executors import Cluster, Executor, at_once
from msaf_bench.sweep.memory import GIB, Subject, check_fits, gpu_of, size_of, step_sizes
from msaf_bench.sweep.plan import UNTUNED, Plan
from msaf_bench.sweep.preflight import check_systems
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.batches import Inputs
from msaf_bench.train.features import frozen
from msaf_bench.train.memory import NotCountedError, StepSize
from msaf_bench.train.step import prepared

BUDGET_S = 60  #: seconds of timing; later rows count as slow as the slowest timed one
CLASSES = 11  #: number of classes of the timed networks
#: limits for timing a step on a CPU: operations in TFLOP, and share of this machine's memory
MOST_TFLOP, MOST_SHARE = 5.0, 0.5
#: TFLOP/s of a `paper` step of MSAF-R50 (batch 8, 769x769) on one H100: 40.9 TFLOP (counted)
#: divided by 1.78, 0.80 and 0.46 s (measured, benchmarks/README.md). fp16 is assumed to be as fast
#: as bf16.
H100_TFLOPS = {"fp32": 23.0, "tf32": 51.1, "bf16": 89.0, "fp16": 89.0}
MEASURED = "MSAF-R50 on one H100"
STATED = "as stated"
PRETRAINING = "the common pre-training"


@dataclass(frozen=True)
class StepCost:
    """Estimated cost of one row or control."""

    params: int | None
    step_seconds: float | None  #: time of one training step, if timed here
    start: str  #: origin of the starting weights
    memory_gib: float | None  #: counted memory per process; None if it cannot be counted
    tflop: float | None  #: counted operations of one training step
    gpu_hours: float | None  #: GPU-hours to train one trial
    not_counted: str = ""  #: reason why it cannot be counted


@dataclass(frozen=True)
class Estimate:
    """Unfinished trials of a plan, and the time to train them."""

    table: str
    trials: int
    finished: int
    steps: int  #: steps per trial
    executor: Executor
    workers: int  #: number of concurrent trials
    rows: dict[str, StepCost]
    minutes: float | None  #: minutes of training, if steps were timed here
    folder: Path
    power: tuple[str, ...]  #: sentences on the differences that the plan can detect
    how: Literal["timed", "computed"]  #: steps timed here, or hours computed from operations
    gpus: int  #: GPUs or processes per trial
    gpu_hours: float | None  #: GPU-hours of training; None on a CPU, or if a row is not counted
    tflops: Mapping[str, float]  #: TFLOP/s by precision, from which hours are computed
    tflops_source: str  #: source of `tflops`

    def document(self) -> dict[str, object]:
        """Return the estimate as printed by `ablate --dry-run --json`."""
        return {**asdict(self), "folder": str(self.folder), "power": list(self.power)}


def estimate(
    plan: Plan, setting: Setting, cluster: Cluster | None, gpu_tflops: float | None = None
) -> Estimate:
    """Estimate memory and step time of each row, and the training time of unfinished trials.

    Frames and labels are random: no data is read.

    Args:
        plan: Plan of the sweep.
        setting: Folder, device and threads of the trials.
        cluster: Ray cluster; None for this process.
        gpu_tflops: Throughput of the GPU in TFLOP/s. Default: measured on an H100.

    Raises:
        UsageError: A row does not fit the GPU.
    """
    here = _is_here(setting.device)
    check_systems(plan)
    done = setting.workspace.finished(plan, resume=True)
    processes = gpu_of(setting, cluster).processes
    sizes = step_sizes(plan, processes)
    check_fits(plan, setting, cluster)
    subjects, labels = plan.subjects(), plan.labels()
    missing = [
        labels[trial.id].removesuffix(UNTUNED)
        for trial in plan.all_trials()
        if trial.id not in done
    ]
    before = plan.pretraining()
    if before and missing and not setting.workspace.record(before).exists():
        subjects[PRETRAINING] = before.system, before.conditions
        sizes[PRETRAINING] = _size(plan, subjects[PRETRAINING], processes)
    timed = here and processes == 1 and _can_time(sizes.values(), setting)
    rates = {
        own.precision: gpu_tflops or H100_TFLOPS[own.precision] for _, own in subjects.values()
    }
    seconds: dict[str, float] = {}
    if timed:
        with limited_threads(setting.threads):
            seconds = _step_seconds_of(subjects, plan, setting)
    elif not all(isinstance(size, StepSize) for size in sizes.values()):
        rates = {}
    starts = plan.starts() | {PRETRAINING: ""}
    rows = {
        label: _cost(size, subjects[label][1], seconds.get(label), starts[label], setting, rates)
        for label, size in sizes.items()
    }
    first = rows.pop(PRETRAINING, None)
    workers = at_once(cluster, setting.cores)
    level = level_of_each(family_of(plan.table))
    return Estimate(
        table=plan.table.name,
        trials=len(labels),
        finished=len(done),
        steps=plan.conditions.steps,
        executor="local" if cluster is None else "ray",
        workers=workers,
        rows=rows,
        minutes=_minutes(missing, subjects, seconds, workers) if timed else None,
        folder=setting.workspace.folder,
        power=tuple(power_sentence(0.6, sd, plan.seeds, level) for sd in (0.35, 0.7)),
        how="timed" if timed else "computed",
        gpus=processes,
        gpu_hours=_sum([*(rows[label] for label in missing), *([first] if first else [])]),
        tflops={} if timed else rates,
        tflops_source="" if timed else STATED if gpu_tflops else MEASURED,
    )


def _is_here(device: str) -> bool:
    """Return whether this machine has the device. Raises `UsageError` for an unknown name."""
    try:
        check_device(device)
    except UsageError:
        if not device.startswith("cuda"):
            raise
        return False
    return True


def _size(plan: Plan, subject: Subject, processes: int) -> StepSize | str:
    try:
        return size_of(subject, plan.plugins, processes)
    except NotCountedError as error:
        return str(error)


def _can_time(sizes: Iterable[StepSize | str], setting: Setting) -> bool:
    """Return whether a step of each row is small enough to time on this machine.

    On a GPU the size has already been checked.
    """
    if setting.device != "cpu":
        return True
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    counted = [size for size in sizes if isinstance(size, StepSize)]
    return all(
        size.peak_bytes < MOST_SHARE * memory and size.flops < MOST_TFLOP * 1e12 for size in counted
    )


def _cost(
    size: StepSize | str,
    conditions: Conditions,
    seconds: float | None,
    start: str,
    setting: Setting,
    rates: Mapping[str, float],
) -> StepCost:
    counted = size if isinstance(size, StepSize) else None
    hours = None
    if seconds is not None:
        hours = None if setting.device == "cpu" else seconds * conditions.steps / 3600
    elif counted and rates:
        hours = counted.flops / 1e12 / rates[conditions.precision] * conditions.steps / 3600
    return StepCost(
        params=counted.params if counted else None,
        step_seconds=seconds,
        start=start,
        memory_gib=counted.peak_bytes / GIB if counted else None,
        tflop=counted.flops / 1e12 if counted else None,
        gpu_hours=hours,
        not_counted="" if counted else str(size),
    )


def _sum(costs: Sequence[StepCost]) -> float | None:
    """Return the total GPU-hours; None if one is unknown."""
    hours = [cost.gpu_hours for cost in costs]
    return None if None in hours else sum(filter(None, hours))


def _minutes(
    missing: Iterable[str],
    subjects: Mapping[str, Subject],
    seconds: Mapping[str, float],
    workers: int,
) -> float:
    whole = {label: seconds[label] * own.steps for label, (_, own) in subjects.items()}
    trials = sum(whole[label] for label in missing)
    return (trials / workers + whole.get(PRETRAINING, 0.0)) / 60


def _step_seconds_of(
    subjects: Mapping[str, Subject], plan: Plan, setting: Setting
) -> dict[str, float]:
    begin = time.perf_counter()
    seconds: dict[str, float] = {}
    for label, (system, conditions) in subjects.items():
        if seconds and time.perf_counter() - begin > BUDGET_S:
            seconds[label] = max(seconds.values())
        else:
            net = build(system, CLASSES, plugins=plan.plugins).to(setting.device).train()
            seconds[label] = _step_seconds(net, conditions, setting)
    return seconds


def _step_seconds(net: VideoNetwork, conditions: Conditions, setting: Setting) -> float:
    """Return the time of the fastest of three steps in seconds, after one warm-up step.

    If a step takes more than two seconds, only one is timed. As in training, a frozen backbone is
    not trained, and it does not run if its features are stored.
    """
    height, width = conditions.crop or conditions.size
    clip = torch.randn(conditions.batch, conditions.frames, 3, height, width, device=setting.device)
    labels = torch.randint(CLASSES, (conditions.batch, height, width), device=setting.device)
    inputs: Inputs = clip
    if conditions.backbone_rate == 0:
        net.backbone.requires_grad_(False)
        if conditions.draws and frozen(net, conditions):
            inputs = net.extract(clip)
    times: list[float] = []
    with prepared(net, conditions) as learner:
        for _ in range(4):
            begin = time.perf_counter()
            learner.gradients(inputs, labels).item()
            times.append(time.perf_counter() - begin)
            if times[0] > 2:
                break
    return min(times)
