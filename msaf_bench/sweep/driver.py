"""Driver of a sweep: runs only the missing trials of a plan."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace

from msaf_bench.errors import DataError, HostError, UsageError
from msaf_bench.host import Host, check_device
from msaf_bench.inherited import CUDA, RAY, inherited
from msaf_bench.records import Record, read_record
from msaf_bench.spec import Conditions, Trial
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster, Execute, execute_on, run_here
from msaf_bench.sweep.memory import check_fits
from msaf_bench.sweep.plan import ONE_SEED, Plan
from msaf_bench.sweep.preflight import check_data, check_systems
from msaf_bench.sweep.row_costs import count_rows
from msaf_bench.sweep.row_speeds import measure_rows
from msaf_bench.sweep.space import check_space
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.checkpoint import newest_checkpoint, training_id


def pretrained(
    trial: Trial | None, setting: Setting, events: Events, execute: Execute = run_here
) -> Setting:
    """Return the setting that starts from a pre-training, after running it if necessary.

    Args:
        trial: Pre-training; None returns the setting unchanged.
        setting: Setting of the sweep.
        events: Receives the progress.
        execute: Function that runs trials.

    Raises:
        HostError: The pre-training failed.
    """
    if trial is None:
        return setting
    path = setting.workspace.record(trial)
    found, _ = newest_checkpoint(setting.workspace.checkpoints(trial), training_id(trial))
    whole = found is not None and found.sidecar.step == trial.conditions.steps
    if not path.exists() or read_record(path).state != "done" or not whole:
        events.phase("pre-training", 0, trial.conditions.steps)
        execute([trial], setting, events)
    record = read_record(path)
    if record.state != "done":
        raise HostError(f"the pre-training failed: {record.reason}")
    return replace(setting, start=trial)


def run_sweep(
    plan: Plan,
    setting: Setting,
    events: Events,
    *,
    cluster: Cluster | None = None,
    resume: bool = False,
    speed_processes: int = 0,
) -> None:
    """Run the trials without a finished record, then count the cost of every row and time it.

    Failed trials run again. Systems, data and device are checked before anything else, so that an
    error that would stop every trial stops the sweep at once.

    Args:
        plan: Trials to run.
        setting: Folder, device and threads of the trials.
        events: Receives the progress.
        cluster: Ray cluster; None runs the trials in this process.
        resume: Keep finished trials.
        speed_processes: Number of processes that time all rows; 0 skips the timing.
    """
    nets, before, workspace = check_systems(plan), plan.pretraining(), setting.workspace
    if default := plan.default():
        nets |= check_systems(default)
    with workspace.lock():
        done = workspace.finished(plan, resume=resume)
        missing = [trial for trial in plan.all_trials() if trial.id not in done]
        if missing:
            if cluster is None or cluster.address is None:
                check_device(setting.device)
            check_fits(plan, setting, cluster)
            data = check_data(plan, setting)
            _check_same(_with_past(plan.conditions, done.values()), data.content, events)
            check_space(workspace, missing, nets, data)
        elif setting.root is not None:  # recorded numbers must come from this data
            data = check_data(plan, setting)
            _check_same(_with_past(plan.conditions, done.values()), data.content, events)
        execute = execute_on(cluster if missing else None)
        workspace.keep(plan)
        events.begun(plan, done)
        if missing:
            if plan.seeds == 1:
                events.note(ONE_SEED)
            _run_missing(missing, before, setting, events, cluster, execute)
        count_rows(plan, setting, events)
        for kept in (workspace.flow, workspace.features, workspace.frames):
            shutil.rmtree(kept, ignore_errors=True)  # rebuilt on demand
        if speed_processes:
            _time_rows(plan, setting, events, speed_processes)


def _run_missing(
    missing: Sequence[Trial],
    before: Trial | None,
    setting: Setting,
    events: Events,
    cluster: Cluster | None,
    execute: Execute,
) -> None:
    joined = cluster is not None and cluster.address is not None
    touched: dict[str, str] = {}
    if cluster is not None and not joined:
        touched |= RAY
    if setting.device.startswith("cuda"):
        touched |= CUDA
    for text in inherited(touched):
        events.note(text)
    there = cluster is not None and cluster.drives_only
    setting = pretrained(before, setting, events, execute if there else run_here)
    events.phase("trials", 0, len(missing))
    execute(missing, setting, events)


def _with_past(conditions: Conditions, records: Iterable[Record]) -> list[Record]:
    """Return the records of trials that read the same past frames, and so the same data."""
    return [record for record in records if record.trial.conditions.past == conditions.past]


def _time_rows(plan: Plan, setting: Setting, events: Events, processes: int) -> None:
    records = setting.workspace.finished(plan, resume=True).values()
    num_classes = next((len(record.class_names) for record in records), 0)
    if not num_classes:
        return
    try:
        check_device(setting.device)
    except UsageError as error:
        events.note(f"speed is not measured: {error}")
        return
    measure_rows(plan, setting, events, num_classes=num_classes, processes=processes)


def _check_same(done: Sequence[Record], data: str, events: Events) -> None:
    """Raise `DataError` if finished trials read other data; note if other code produced them."""
    if other := {record.data for record in done} - {data}:
        raise DataError(
            f"the finished trials read different data ({other.pop()}, now {data}); choose"
            " another folder with --reports"
        )
    here = Host.here()
    made_by = {(record.host.msaf_bench, record.host.commit) for record in done}
    if others := made_by - {(here.msaf_bench, here.commit)}:
        made = ", ".join(f"{version} {commit}".strip() for version, commit in sorted(others))
        events.note(
            f"finished trials here were run by other code ({made}); this is {here.msaf_bench}"
            f" {here.commit}"
        )
