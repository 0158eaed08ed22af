"""What a sweep would take: one training step of each row, timed here."""

import os
import time
from typing import Any

import torch

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import family_of
from msaf_bench.stats import level_of_each, power_sentence
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.run import Executor, check_device, check_systems
from msaf_bench.sweep.trial import Setting

BUDGET_S = 60  #: after which the rows not timed yet are taken to be as slow as the slowest


def estimate(
    plan: Plan, setting: Setting, executor: Executor, workers: int | None
) -> dict[str, Any]:
    """Parameters and step time of each row, and the minutes of training for what is not finished.

    Random frames and labels: no data are read.
    """
    check_device(setting.device)
    check_systems(plan)
    torch.set_num_threads(setting.threads)
    begin = time.perf_counter()
    rows: dict[str, dict[str, float]] = {}
    for label, (system, _) in plan.subjects().items():
        net = build(system, 11, plugins=plan.plugins).to(setting.device).train()
        late = time.perf_counter() - begin > BUDGET_S
        seconds = (
            max(row["step_seconds"] for row in rows.values())
            if late and rows
            else _step_seconds(net, plan, setting)
        )
        rows[label] = {"params": sum(p.numel() for p in net.parameters()), "step_seconds": seconds}
    at_once = (
        (workers or max(1, (os.cpu_count() or 1) // setting.threads)) if executor == "ray" else 1
    )
    done = setting.workspace.finished(plan, resume=True)
    labels = plan.labels()
    missing = [labels[trial.id] for trial in plan.trials() if trial.id not in done]
    seconds = (
        sum(rows[label]["step_seconds"] for label in missing) * plan.conditions.steps / at_once
    )
    before = plan.pretraining()
    if missing and before and not (setting.workspace.records / f"{before.id}.json").exists():
        net = build(before.system, 11, plugins=plan.plugins).to(setting.device).train()
        seconds += before.conditions.steps * _step_seconds(net, plan, setting)
    return {
        "table": plan.table.name,
        "trials": len(labels),
        "finished": len(done),
        "steps": plan.conditions.steps,
        "executor": executor,
        "workers": at_once,
        "rows": rows,
        "minutes": seconds / 60,
        "folder": str(setting.workspace.folder),
        "power": [
            power_sentence(0.6, sd, plan.seeds, level_of_each(family_of(plan.table)))
            for sd in (0.35, 0.7)
        ],
    }


def _step_seconds(net: VideoNetwork, plan: Plan, setting: Setting) -> float:
    """The fastest of three steps after one to warm up; one step alone where a step takes more than
    two seconds.
    """
    conditions = plan.conditions
    height, width = conditions.crop or conditions.size
    clip = torch.randn(conditions.batch, conditions.frames, 3, height, width, device=setting.device)
    labels = torch.randint(11, (conditions.batch, height, width), device=setting.device)
    times: list[float] = []
    for _ in range(4):
        begin = time.perf_counter()
        with torch.autocast(
            clip.device.type, torch.bfloat16, enabled=conditions.precision == "bf16"
        ):
            loss = net.loss(net(clip), labels)
        loss.backward()
        loss.item()
        times.append(time.perf_counter() - begin)
        if times[0] > 2:
            break
    return min(times)
