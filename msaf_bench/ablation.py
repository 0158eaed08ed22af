"""An ablation from a table to its report: plan, check, run, render."""

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

# Whatever loads torch is imported where it is needed: a plan is printed at once.
if TYPE_CHECKING:
    from msaf_bench.findings.run import Run
    from msaf_bench.report.outcome import Outcome
    from msaf_bench.sweep.estimate import Estimate


@dataclass(frozen=True)
class Ablation:
    """A table that is to be run, and how."""

    plan: Plan
    setting: Setting
    cluster: Cluster | None = None  #: None: trials run in this process
    resume: bool = False  #: keep what is finished
    speed_processes: int = 0  #: that time the rows after the trials
    pictures: bool = True  #: show frames of the data set in the report
    track: Sequence[str] = ()  #: trackers that hear of the trials


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
    """Train and score every row of a table with several seeds, render the report, and return the
    run.

        import msaf_bench as mb

        run = mb.ablate("table3", data="street", preset="smoke", seeds=1)
        run.folder, run.frame(), run.summary()

    Nothing is printed: progress goes to `events`. A trial that fails is recorded with its reason
    and ends nothing. With Ray, and to time rows, processes are started: a script keeps the call
    below `if __name__ == "__main__"`.

    Args:
        table: Name in `ablations/` (`table3` or `3`), a `.toml` file, or a table.
        data: Data set: street (made here), one of `datasets/`, or the path of a `.toml` file that
            describes one.
        root: Folder of the data set; street needs none, and that of the `.toml` file is the
            default.
        preset: Conditions: smoke, quick, standard or paper.
        changes: Conditions to replace, such as `{"steps": 500, "data_options.noise": 0.8}`.
        start: File of starting weights for the backbone that all rows have, or files by the name of
            a backbone or a system: `{"resnet50": "resnet50.pth"}`. It takes the place of the common
            pre-training of a preset.
        tuned: File that `msaf-bench tune` wrote for this table. Its rows are trained as they were
            found best, and beside that as they are.
        seeds: Number of seeds of each row; from two on there are intervals.
        rows: Only these rows, and the one that all are compared with.
        controls: Train the table's controls too.
        on: "ray" or "local"; None takes Ray where it is installed.
        address: Join this Ray cluster; all its nodes must see `reports`.
        workers: Trials at a time on Ray; None: as many as fit.
        gpus_per_trial: GPUs of each trial on Ray; a fraction shares one, from 2 on each has a
            process.
        gpu_memory_gib: Memory of a GPU, where this machine cannot tell it; rows that need more are
            refused.
        speed_processes: Processes that time all rows after the trials; 0: no timing.
        threads: CPU threads of each trial.
        loader_threads: Further threads of each trial that load clips while its network computes;
            None: none on a CPU, on a GPU the cores that are left, up to 4.
        device: "cpu", "cuda" or "cuda:N".
        cache_gib: Disk space for decoded frames, which all trials share, in GiB; 0: none.
        cache_folder: Folder for them that stays; None: in the run's folder, removed at its end.
        plugins: Importable modules with `register(registry)`.
        reports: Folder of this run; None: `reports/TABLE-DATA-PRESET`.
        resume: Keep finished trials and run what is missing or failed.
        pictures: Show frames and labels of the data set in the report.
        track: Trackers of loss, validation and results: "tensorboard", "csv", "wandb", "mlflow".
        overwrite: Replace files in the folder that are not of a run.
        events: Hears of every phase, step, finished trial and note; what derives from
            `msaf_bench.sweep.events.Silent` need not have all methods.

    Raises:
        UsageError: A name, option or component is wrong, or the folder holds another run.
        DataError: The data set's content is wrong.
        HostError: The machine cannot do it, or a tracker is not installed.
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
    """Return the ablation of a table under these conditions, backbones starting from files, rows
    with what a search found for them. Raises `UsageError`, and `HostError` for a tracker that
    cannot be used.
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
    """Return plan and setting of each sweep: one, or one for every point of a table with an
    axis.
    """
    plan, setting = ablation.plan, ablation.setting
    if not plan.table.axis:
        return [(plan, setting)]
    points = distinct(points_of(plan, setting.workspace))
    return [(point.plan, replace(setting, workspace=point.workspace)) for point in points]


def estimates(ablation: Ablation, gpu_tflops: float | None = None) -> "list[Estimate]":
    """Return what each sweep would take; `gpu_tflops` is the throughput of a GPU where a step
    cannot be timed here, None what was measured on an H100.
    """
    from msaf_bench.sweep.estimate import estimate

    return [
        estimate(plan, setting, ablation.cluster, gpu_tflops) for plan, setting in sweeps(ablation)
    ]


def run(ablation: Ablation, events: Events) -> "Outcome":
    """Run what is missing, then render the report."""
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
    """Run every point of a table with an axis; return the folders that another process runs."""
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
