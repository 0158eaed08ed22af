"""What a sweep would take: GPU memory and time of one training step of each row. The time is that
of a step here, or what counted operations take on a GPU.
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

BUDGET_S = 60  #: after which the rows not timed yet are taken to be as slow as the slowest
CLASSES = 11  #: of the networks that are timed
#: operations of a step, and share of this machine's memory, up to which it is timed on a CPU
MOST_TFLOP, MOST_SHARE = 5.0, 0.5
#: TFLOP/s of a `paper` step of MSAF-R50 (batch 8, 769x769) on one H100: the 40.9 TFLOP that are
#: counted over the 1.78, 0.80 and 0.46 s that were measured (benchmarks/README.md); fp16 is taken
#: to be as fast as bf16
H100_TFLOPS = {"fp32": 23.0, "tf32": 51.1, "bf16": 89.0, "fp16": 89.0}
MEASURED = "MSAF-R50 on one H100"
STATED = "as stated"
PRETRAINING = "the common pre-training"


@dataclass(frozen=True)
class StepCost:
    """What one row or control takes."""

    params: int | None
    step_seconds: float | None  #: of one training step that was timed here
    start: str  #: what it starts from
    memory_gib: float | None  #: counted, of each process; None where it cannot be counted
    tflop: float | None  #: counted, of one training step
    gpu_hours: float | None  #: of training one trial
    not_counted: str = ""  #: why


@dataclass(frozen=True)
class Estimate:
    """What is not finished of a plan, and how long it would train."""

    table: str
    trials: int
    finished: int
    steps: int  #: of each trial
    executor: Executor
    workers: int  #: trials at a time
    rows: dict[str, StepCost]
    minutes: float | None  #: of training, where steps were timed here
    folder: Path
    power: tuple[str, ...]  #: sentences: what the plan could tell apart
    how: Literal["timed", "computed"]  #: steps were timed here, or hours computed from operations
    gpus: int  #: of each trial, or processes
    gpu_hours: float | None  #: of training; None on a CPU, and where a row is not counted
    tflops: Mapping[str, float]  #: TFLOP/s, by precision, that hours are computed with
    tflops_source: str  #: where they are from

    def document(self) -> dict[str, object]:
        """Return the estimate as `ablate --dry-run --json` prints it."""
        return {**asdict(self), "folder": str(self.folder), "power": list(self.power)}


def estimate(
    plan: Plan, setting: Setting, cluster: Cluster | None, gpu_tflops: float | None = None
) -> Estimate:
    """Return parameters, memory and step time of each row, and the time of training for what is not
    finished.

    Random frames and labels: no data are read. Raises `UsageError` where a row does not fit a GPU.
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
    """Return whether this machine has the device. Raises `UsageError` for what is no device."""
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
    """Return whether a step of each is small enough for this machine; on a GPU it was checked."""
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
    """Return the GPU-hours of all; None where those of one are not known."""
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
    """Return the time of the fastest of three steps after one to warm up; of one step alone where
    a step takes more than two seconds.

    As in training, a frozen backbone learns nothing, and where its features are kept it is not run.
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
