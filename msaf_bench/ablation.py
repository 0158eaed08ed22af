"""Ablations, from the table to the report: plan, check, run, render."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from msaf_bench.catalog import changed, list_data_sets, read_conditions, read_table, read_tuned
from msaf_bench.data import needed_root, root_of
from msaf_bench.data.prefetch import default_threads
from msaf_bench.host import check_memory
from msaf_bench.inputs import file_name
from msaf_bench.spec import Conditions, Table
from msaf_bench.spec.search import Tuned
from msaf_bench.sweep.events import Events, Silent
from msaf_bench.sweep.executors import Cluster, Executor, cluster_of
from msaf_bench.sweep.plan import Plan, make_plan, with_tuned
from msaf_bench.sweep.points import Point, distinct, points_of, run_study
from msaf_bench.sweep.starts import INSTEAD, Given, Named, files_of, with_starts
from msaf_bench.sweep.workspace import Setting, Workspace, readers_for

# Modules that load torch are imported inside the functions, so that a plan prints at once.
if TYPE_CHECKING:
    from msaf_bench.findings.run import Run
    from msaf_bench.report.outcome import Outcome
    from msaf_bench.sweep.estimate import Estimate


@dataclass(frozen=True)
class Ablation:
    """An ablation that is ready to run: the plan and the way to run it."""

    plan: Plan
    setting: Setting
    cluster: Cluster | None = None  #: Ray cluster; None: trials run in this process
    resume: bool = False  #: keep finished trials
    speed_processes: int = 0  #: number of processes that time the rows after the trials
    pictures: bool = True  #: show frames of the data set in the report
    track: Sequence[str] = ()  #: names of the trackers to log to


def ablate(
    table: str | Path | Table,
    *,
    data: str = "street",
    root: str | Path | None = None,
    preset: str = "quick",
    changes: Mapping[str, object] | None = None,
    start: Given | None = None,
    tuned: str | Path | None = None,
    seeds: int = 5,
    rows: Sequence[str] = (),
    controls: bool = True,
    on: Executor | None = None,
    address: str | None = None,
    workers: int | None = None,
    gpus_per_trial: float = 0.0,
    gpu_memory_gib: float | None = None,
    speed_processes: int = 2,
    threads: int = 1,
    loader_threads: int | None = None,
    device: str = "cpu",
    cache_gib: float = 20.0,
    cache_folder: str | Path | None = None,
    plugins: Sequence[str] = (),
    reports: str | Path | None = None,
    resume: bool = False,
    pictures: bool = True,
    track: Sequence[str] = (),
    overwrite: bool = False,
    events: Events | None = None,
) -> "Run":
    """Train and score every row of a table with several seeds, and render the report.

        import msaf_bench as mb

        run = mb.ablate("table3", data="street", preset="smoke", seeds=1)
        run.folder, run.frame(), run.summary()

    Nothing is printed: progress goes to `events`. A trial that fails is recorded with its reason
    and does not stop the run. Ray and the timing of rows start processes, so a script must call
    this below `if __name__ == "__main__"`.

    Args:
        table: Name in `ablations/` (`table3` or `3`), path of a `.toml` file, or a table.
        data: Data set: street (rendered by this package), a name in `datasets/`, or the path of a
            `.toml` file that describes one.
        root: Folder of the data set. Default: the folder of the `.toml` file; street needs none.
        preset: Name of the conditions: smoke, quick, standard or paper.
        changes: Conditions to replace, such as `{"steps": 500, "data_options.noise": 0.8}`.
        start: File of starting weights for the backbone that all rows share, or files by the name
            of a backbone or a system: `{"resnet50": "resnet50.pth"}`. Replaces the preset's common
            pre-training.
        tuned: File written by `msaf-bench tune` for this table. Its rows are trained with the best
            values found, and again unchanged.
        seeds: Number of seeds per row. Intervals need at least two.
        rows: Labels of the rows to run; the reference row is added. Default: all rows.
        controls: Train the table's controls too.
        on: "ray" or "local". Default: Ray if it is installed.
        address: Address of a Ray cluster to join; all its nodes must see `reports`.
        workers: Number of concurrent trials on Ray. Default: as many as fit.
        gpus_per_trial: GPUs per trial on Ray. A fraction shares one GPU; from 2 on, each GPU has
            its own process.
        gpu_memory_gib: Memory of one GPU in GiB, if this machine cannot query it. Rows that need
            more are refused.
        speed_processes: Number of processes that time all rows after the trials; 0 skips the
            timing.
        threads: CPU threads per trial.
        loader_threads: Additional threads per trial that load clips while the network computes.
            Default: 0 on a CPU; on a GPU the remaining cores, at most 4.
        device: "cpu", "cuda" or "cuda:N".
        cache_gib: Disk space in GiB for decoded frames, shared by all trials; 0 turns the cache
            off.
        cache_folder: Folder that keeps decoded frames after the run. Default: inside the run's
            folder, removed at the end.
        plugins: Importable modules with `register(registry)`.
        reports: Folder of this run. Default: `reports/TABLE-DATA-PRESET`.
        resume: Keep finished trials and run those that are missing or failed.
        pictures: Show frames and labels of the data set in the report.
        track: Trackers of loss, validation and results: "tensorboard", "csv", "wandb", "mlflow".
        overwrite: Replace files in the folder that do not belong to a run.
        events: Receives every phase, step, finished trial and note. Derive from
            `msaf_bench.sweep.events.Silent` to implement only some of the methods.

    Returns:
        The finished run, loaded from its folder.

    Raises:
        UsageError: A name, option or component is wrong, or the folder holds another run.
        DataError: The data set's content is wrong.
        HostError: The machine cannot run it, or a tracker is not installed.
        LockedError: Another process runs in the same folder.
    """
    from msaf_bench.findings.run import load_run

    read = table if isinstance(table, Table) else read_table(str(table))
    readers = readers_for(data, plugins)
    conditions = read_conditions(preset, data, systems=not read.base, readers=tuple(readers))
    root = root_of(data, root)
    files = files_of(start)
    changes = {**(INSTEAD if files else {}), **(changes or {})}
    conditions = changed(conditions, changes, "changes")
    check_memory(conditions)
    ablation = prepare(
        read,
        conditions,
        root=root,
        seeds=seeds,
        rows=rows,
        controls=controls,
        cluster=cluster_of(on, address, workers, gpus_per_trial),
        speed_processes=speed_processes,
        threads=threads,
        loader_threads=loader_threads,
        device=device,
        cache_gib=cache_gib,
        cache_folder=cache_folder,
        gpu_memory_gib=gpu_memory_gib,
        plugins=plugins,
        reports=reports,
        resume=resume,
        pictures=pictures,
        start=files,
        track=track,
        tuned=read_tuned(Path(tuned)) if tuned else None,
    )
    ablation.setting.workspace.check_free(read.name, overwrite=overwrite)
    run(ablation, events or Silent())
    return load_run(ablation.setting.workspace.folder)


def prepare(
    table: Table,
    conditions: Conditions,
    *,
    root: str | Path | None,
    seeds: int,
    rows: Sequence[str],
    controls: bool,
    cluster: Cluster | None,
    speed_processes: int,
    threads: int,
    device: str,
    plugins: Sequence[str],
    reports: str | Path | None,
    resume: bool,
    pictures: bool,
    start: Iterable[Named] = (),
    loader_threads: int | None = None,
    cache_gib: float = 0.0,
    cache_folder: str | Path | None = None,
    gpu_memory_gib: float | None = None,
    track: Sequence[str] = (),
    tuned: Tuned | None = None,
) -> Ablation:
    """Plan the ablation of a table under the given conditions, without running it.

    Args:
        table: Table to run.
        conditions: Conditions of every trial.
        root: Folder of the data set; None if it needs none, or for its default.
        seeds: Number of seeds per row.
        rows: Labels of the rows to run; the reference row is added. Empty: all rows.
        controls: Train the table's controls too.
        cluster: Ray cluster; None runs the trials in this process.
        speed_processes: Number of processes that time all rows after the trials; 0 skips the
            timing.
        threads: CPU threads per trial.
        device: "cpu", "cuda" or "cuda:N".
        plugins: Importable modules with `register(registry)`.
        reports: Folder of this run. Default: `reports/TABLE-DATA-PRESET`.
        resume: Keep finished trials and run those that are missing or failed.
        pictures: Show frames and labels of the data set in the report.
        start: Files of starting weights for the backbones.
        loader_threads: Additional threads per trial that load clips. Default: 0 on a CPU; on a GPU
            the remaining cores, at most 4.
        cache_gib: Disk space in GiB for decoded frames; 0 turns the cache off.
        cache_folder: Folder that keeps decoded frames after the run. Default: inside the run's
            folder, removed at the end.
        gpu_memory_gib: Memory of one GPU in GiB, if this machine cannot query it.
        track: Names of trackers.
        tuned: Outcome of a search, whose values the rows take.

    Raises:
        UsageError: A row, option or component is wrong.
        HostError: A tracker cannot be used.
    """
    if track:
        from msaf_bench.sweep.tracking import check_trackers

        check_trackers(track)
    data_root = None if root is None else Path(root).resolve()
    if conditions.described or conditions.data in list_data_sets()[1:]:
        data_root = needed_root(conditions.data, data_root)
    plan = make_plan(table, conditions, rows, seeds, plugins, controls=controls)
    plan = with_starts(plan, start)
    name = f"{table.name}-{conditions.data}-{Path(conditions.preset).stem}"
    if tuned:
        plan, name = with_tuned(plan, tuned), f"{name}-tuned"
    folder = Path(reports) if reports else Path("reports") / file_name(name)
    if loader_threads is None:
        loader_threads = default_threads(device, threads)
    setting = Setting(
        Workspace(folder.resolve()),
        data_root,
        device,
        threads,
        plan.plugins,
        loader_threads=loader_threads,
        cache_gib=cache_gib,
        cache_folder=Path(cache_folder).resolve() if cache_folder else None,
        gpu_memory_gib=gpu_memory_gib,
    )
    return Ablation(plan, setting, cluster, resume, speed_processes, pictures, track)


def sweeps(ablation: Ablation) -> list[tuple[Plan, Setting]]:
    """Return plan and setting of each sweep: one, or one per point of a table with an axis."""
    plan, setting = ablation.plan, ablation.setting
    if not plan.table.axis:
        return [(plan, setting)]
    points = distinct(points_of(plan, setting.workspace))
    return [(point.plan, replace(setting, workspace=point.workspace)) for point in points]


def estimates(ablation: Ablation, gpu_tflops: float | None = None) -> "list[Estimate]":
    """Return an estimate of time and memory for each sweep.

    `gpu_tflops` is the throughput of a GPU for rows whose step cannot be timed here. Default: the
    throughput measured on an H100.
    """
    from msaf_bench.sweep.estimate import estimate

    return [
        estimate(plan, setting, ablation.cluster, gpu_tflops) for plan, setting in sweeps(ablation)
    ]


def run(ablation: Ablation, events: Events) -> "Outcome":
    """Run the missing trials, then render the report."""
    from msaf_bench.report.outcome import render
    from msaf_bench.sweep.driver import run_sweep
    from msaf_bench.sweep.tracking import tracked

    setting, left = ablation.setting, ()
    if ablation.plan.table.axis:
        left = _run_study(ablation, events)
    else:
        with tracked(events, ablation.track, setting.workspace.folder) as heard:
            run_sweep(
                ablation.plan,
                setting,
                heard,
                cluster=ablation.cluster,
                resume=ablation.resume,
                speed_processes=ablation.speed_processes,
            )
    events.phase("page", 0, 1, "tables, figures and the page itself")
    outcome = render(setting.workspace, setting.root, pictures=ablation.pictures)
    return replace(outcome, left=left)


def _run_study(ablation: Ablation, events: Events) -> tuple[Path, ...]:
    """Run every point of a table with an axis; return the folders in use by another process."""
    from msaf_bench.sweep.driver import run_sweep
    from msaf_bench.sweep.preflight import check_data, check_systems
    from msaf_bench.sweep.tracking import tracked

    folders = [setting.workspace.folder for _, setting in sweeps(ablation)]

    def check(own: Plan, setting: Setting) -> None:
        check_systems(own)
        check_data(own, setting)

    def run_point(point: Point, setting: Setting) -> None:
        number = folders.index(setting.workspace.folder) + 1
        events.note(f"point {number}/{len(folders)}: {point.axis.shown} = {point.value}")
        with tracked(events, ablation.track, setting.workspace.folder) as heard:
            run_sweep(point.plan, setting, heard, cluster=ablation.cluster, resume=True)

    return run_study(ablation.plan, ablation.setting, check, run_point, resume=ablation.resume)
