"""What a sweep would take: one training step of each row, timed here."""

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import family_of
from msaf_bench.host import check_device, limited_threads
from msaf_bench.spec import Conditions, System
from msaf_bench.stats import level_of_each, power_sentence
from msaf_bench.sweep.executors import Cluster, Executor, at_once
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.preflight import check_systems
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.features import frozen

BUDGET_S = 60  #: after which the rows not timed yet are taken to be as slow as the slowest
CLASSES = 11  #: of the networks that are timed


@dataclass(frozen=True)
class StepCost:
    """What one row or control takes."""

    params: int
    step_seconds: float  #: of one training step
    start: str  #: what it starts from


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
    minutes: float  #: of training
    folder: Path
    power: tuple[str, ...]  #: sentences: what the plan could tell apart

    def document(self) -> dict[str, object]:
        """Return the estimate as `ablate --dry-run --json` prints it."""
        return {**asdict(self), "folder": str(self.folder), "power": list(self.power)}


def estimate(plan: Plan, setting: Setting, cluster: Cluster | None) -> Estimate:
    """Return parameters and step time of each row, and the minutes of training for what is not
    finished.

    Random frames and labels: no data are read.
    """
    check_device(setting.device)
    check_systems(plan)
    done = setting.workspace.finished(plan, resume=True)
    with limited_threads(setting.threads):
        rows = _step_costs(plan, setting)
        labels = plan.labels()
        missing = [labels[trial.id] for trial in plan.trials() if trial.id not in done]
        seconds = sum(rows[label].step_seconds for label in missing) * plan.conditions.steps
        workers = at_once(cluster, setting.cores)
        seconds /= workers
        before = plan.pretraining()
        if missing and before and not setting.workspace.record(before).exists():
            net = _built(before.system, plan, setting)
            seconds += before.conditions.steps * _step_seconds(net, before.conditions, setting)
    level = level_of_each(family_of(plan.table))
    return Estimate(
        table=plan.table.name,
        trials=len(labels),
        finished=len(done),
        steps=plan.conditions.steps,
        executor="local" if cluster is None else "ray",
        workers=workers,
        rows=rows,
        minutes=seconds / 60,
        folder=setting.workspace.folder,
        power=tuple(power_sentence(0.6, sd, plan.seeds, level) for sd in (0.35, 0.7)),
    )


def _step_costs(plan: Plan, setting: Setting) -> dict[str, StepCost]:
    begin = time.perf_counter()
    rows: dict[str, StepCost] = {}
    starts = plan.starts()
    for label, (system, _) in plan.subjects().items():
        net = _built(system, plan, setting)
        late = time.perf_counter() - begin > BUDGET_S
        if late and rows:
            seconds = max(row.step_seconds for row in rows.values())
        else:
            seconds = _step_seconds(net, plan.conditions, setting)
        rows[label] = StepCost(sum(p.numel() for p in net.parameters()), seconds, starts[label])
    return rows


def _built(system: System, plan: Plan, setting: Setting) -> VideoNetwork:
    return build(system, CLASSES, plugins=plan.plugins).to(setting.device).train()


def _step_seconds(net: VideoNetwork, conditions: Conditions, setting: Setting) -> float:
    """Return the time of the fastest of three steps after one to warm up; of one step alone where
    a step takes more than two seconds.

    As in training, a frozen backbone learns nothing, and where its features are kept it is not run.
    """
    height, width = conditions.crop or conditions.size
    clip = torch.randn(conditions.batch, conditions.frames, 3, height, width, device=setting.device)
    labels = torch.randint(CLASSES, (conditions.batch, height, width), device=setting.device)
    forward = partial(net, clip)
    if conditions.backbone_rate == 0:
        net.backbone.requires_grad_(False)
        if conditions.draws and frozen(net, conditions):
            forward = partial(net.from_features, net.extract(clip), labels)
    times: list[float] = []
    for _ in range(4):
        begin = time.perf_counter()
        with torch.autocast(
            clip.device.type, torch.bfloat16, enabled=conditions.precision == "bf16"
        ):
            loss = net.loss(forward(), labels)
        loss.backward()
        loss.item()
        times.append(time.perf_counter() - begin)
        if times[0] > 2:
            break
    return min(times)
