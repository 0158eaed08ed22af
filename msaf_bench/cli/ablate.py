"""`msaf-bench ablate`: trains and scores every row of a table, then writes the table."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from msaf_bench.catalog import read_table
from msaf_bench.cli.inspect import Plugins
from msaf_bench.cli.printing import Json, Overwrite, print_json
from msaf_bench.cli.settings import (
    PROCESSES,
    THREADS,
    Changes,
    Data,
    Device,
    History,
    Preset,
    Root,
    at_most,
    at_most_cores,
    check_data,
    conditions_from,
    use_plugins,
)
from msaf_bench.errors import HostError, UsageError, one_of
from msaf_bench.inputs import file_name
from msaf_bench.spec import MOST_SEEDS


def ablate(
    table: Annotated[
        str, typer.Option(help="A table of ablations/ (3, table3, factorial) or a .toml file.")
    ],
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    seeds: Annotated[
        int,
        typer.Option(
            callback=at_most(MOST_SEEDS, "intervals hardly narrow beyond"),
            help="Seeds of each row: 0, 1, ... From two on there are intervals.",
        ),
    ] = 5,
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Only these rows, and the one all are compared with; may be repeated."),
    ] = None,
    controls: Annotated[
        bool, typer.Option(help="Train the table's control rows too: what the run could have seen.")
    ] = True,
    on: Annotated[
        str | None, typer.Option(help="ray or local (default: ray where it is installed).")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Join this Ray cluster; --reports must be a folder that all its nodes see."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            callback=at_most(4096, "one driver follows no more"),
            help="Trials at a time on Ray (default: as many as fit).",
        ),
    ] = None,
    gpus_per_trial: Annotated[
        float,
        typer.Option(
            min=0,
            callback=at_most(64, "no node has more"),
            help="GPUs of each trial on Ray; a fraction shares one.",
        ),
    ] = 0.0,
    speed: Annotated[
        int,
        typer.Option(
            min=0,
            callback=PROCESSES,
            help="Processes that time all rows in both modes after the trials; 0: no timing.",
        ),
    ] = 2,
    threads: Annotated[int, typer.Option(min=1, help=THREADS)] = 1,
    device: Device = "cpu",
    reports: Annotated[
        Path | None, typer.Option(help="Folder of this run (default: reports/TABLE-DATA-PRESET).")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep finished trials and run what is missing or failed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan with an estimate, run nothing.")
    ] = False,
    pictures: Annotated[
        bool, typer.Option(help="Show frames and labels of the data set in the report.")
    ] = True,
    changes: Changes = None,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train and score every row of a table with several seeds; write CSV, Markdown, LaTeX, figures
    and a page.

    A table with an axis, such as when_motion_helps, is run once for every value and gives curves;
    started twice, the two share the work.
    """
    read = read_table(table)
    conditions = conditions_from(preset, data, changes, history, systems=not read.base)
    data_root = check_data(data, root)
    if on is not None:
        one_of("executor", on, ("ray", "local"))
    if address is None:
        at_most_cores(threads)  # a cluster's machines may have more than this one
    if on == "local" and (address or workers or gpus_per_trial):
        raise UsageError("--address, --workers and --gpus-per-trial need --on ray")

    from msaf_bench.sweep.plan import ONE_SEED, Workspace, make_plan
    from msaf_bench.sweep.run import default_executor, run_sweep
    from msaf_bench.sweep.trial import Setting

    plan = make_plan(read, conditions, rows or (), seeds, use_plugins(plugins), controls=controls)
    folder = (
        reports or Path("reports") / file_name(f"{read.name}-{data}-{Path(preset).stem}")
    ).resolve()
    executor: Any = on or default_executor()
    setting = Setting(Workspace(folder), data_root, device, threads, plan.plugins)
    if not dry_run:
        setting.workspace.check_free(read.name, overwrite=overwrite)
    options = {"on": executor, "address": address, "workers": workers, "gpus": gpus_per_trial}
    if dry_run and seeds == 1:
        typer.echo(ONE_SEED, err=True)
    if read.axis:
        _study(
            plan,
            setting,
            {**options, "resume": True},
            resume=resume,
            dry_run=dry_run,
            as_json=as_json,
        )
        return
    if dry_run:
        _print_plan(plan, setting, executor, workers, as_json)
        return
    # before any work: what keeps matplotlib from being imported is said at once
    from msaf_bench.report.render import render_run

    failed = _sweep(
        plan,
        setting,
        run_sweep,
        {**options, "resume": resume, "speed_processes": speed},
        resumed=resume,
    )
    kept = setting.workspace.plan()  # with rows and seeds of earlier calls
    view, paths = render_run(
        setting.workspace, kept, setting.root if pictures else None, pictures=pictures
    )
    print_result(view, paths, as_json)
    if failed:
        raise typer.Exit(1)


def _study(
    plan: Any, setting: Any, options: dict[str, Any], *, resume: bool, dry_run: bool, as_json: bool
) -> None:
    """A table with an axis: a run for every value, then the curves."""
    from msaf_bench.report.study import render_study
    from msaf_bench.sweep.run import check_data, check_systems, run_sweep
    from msaf_bench.sweep.study import distinct, points_of, run_study

    points = points_of(plan, setting.workspace)
    folders = [point.workspace.folder for point in distinct(points)]
    if dry_run:
        _print_study(points, setting, options, as_json)
        return

    def check(own: Any, at: Any) -> None:
        check_systems(own)
        check_data(own, at)

    def run(point: Any, at: Any) -> int:
        place = (
            f"point {folders.index(at.workspace.folder) + 1}/{len(folders)}: {point.axis.shown} ="
            f" {point.value}"
        )
        typer.echo(place, err=True)
        return _sweep(point.plan, at, run_sweep, options, resumed=resume)

    failed, left = run_study(plan, setting, check, run, resume=resume)
    for folder in left:
        typer.echo(
            f"{folder} is in use by another process; `msaf-bench report {setting.workspace.folder}`"
            " when it is done",
            err=True,
        )
    study, paths = render_study(setting.workspace, setting.workspace.plan())
    print_study(study, paths, as_json)
    if failed:
        raise typer.Exit(1)


def _print_study(points: Any, setting: Any, options: dict[str, Any], as_json: bool) -> None:
    """The estimate of every point, and their sum."""
    from msaf_bench.foreign import to_stderr
    from msaf_bench.sweep.estimate import estimate
    from msaf_bench.sweep.study import distinct

    on, workers = options["on"], options["workers"]
    with to_stderr():
        found = {
            str(point.workspace.folder): estimate(
                point.plan, replace(setting, workspace=point.workspace), on, workers
            )
            for point in distinct(points)
        }
    minutes, trials = (sum(of[name] for of in found.values()) for name in ("minutes", "trials"))
    if as_json:
        print_json({"points": found, "trials": trials, "minutes": minutes})
        return
    for folder, of in found.items():
        typer.echo(
            f"{Path(folder).name:<30}{of['trials']:>6} trials ({of['finished']} finished)  about"
            f" {of['minutes']:.0f} min"
        )
    typer.echo(
        f"{len(found)} points, {trials} trials, about {minutes:.0f} min of training on"
        f" {options['on']}"
    )


def print_study(study: Any, paths: list[Path], as_json: bool) -> None:
    """The curves on stdout, and where the files are."""
    from msaf_bench.report.tables.curves import sentences, study_document

    if as_json:
        print_json(study_document(study) | {"files": [str(path) for path in paths]})
    else:
        for sentence in sentences(study):
            typer.echo(sentence)
        for path in paths:
            typer.echo(f"wrote {path}")
    _check_drawn(study.undrawn)


def _check_drawn(undrawn: str) -> None:
    if undrawn:
        raise HostError(
            f"the tables are written, but {undrawn}; `msaf-bench report` draws them from the"
            " records"
        )


def _sweep(
    plan: Any, setting: Any, run_sweep: Any, options: dict[str, Any], *, resumed: bool
) -> int:
    """Runs the trials; gives the number of those that failed. `resumed`: whether the command that
    was typed says --resume.
    """
    from msaf_bench.cli.progress import SweepProgress
    from msaf_bench.foreign import to_stderr
    from msaf_bench.records import read_records

    trials, labels = plan.trials(), plan.labels()
    done = {
        i
        for i, r in read_records(setting.workspace.records).items()
        if r.state == "done" and i in labels
    }
    with SweepProgress(labels, [t for t in trials if t.id not in done], len(done)) as progress:
        try:
            with to_stderr():
                run_sweep(plan, setting, progress, **options)
        except (KeyboardInterrupt, SystemExit, HostError) as error:
            if progress.begun or not isinstance(error, HostError):
                rest = "the same command runs the rest" if resumed else "--resume runs the rest"
                progress.note(
                    f"stopped; {progress.before + progress.ended} of {len(trials)} trials are"
                    f" finished, {rest}"
                )
            raise
    return progress.failed


def _print_plan(plan: Any, setting: Any, executor: Any, workers: int | None, as_json: bool) -> None:
    from msaf_bench.foreign import to_stderr
    from msaf_bench.sweep.estimate import estimate

    with to_stderr():
        found = estimate(plan, setting, executor, workers)
    if as_json:
        print_json(found)
        return
    for label, row in found["rows"].items():
        typer.echo(
            f"{label:<30}{row['params']:>12,} parameters  {1000 * row['step_seconds']:>8.0f} ms a"
            " step"
        )
    trials = f"{found['trials']} trials ({found['finished']} finished)"
    typer.echo(
        f"{trials}: {len(plan.rows)} rows, {plan.seeds} seeds, {found['steps']} steps each, into"
        f" {found['folder']}"
    )
    typer.echo(
        f"about {found['minutes']:.0f} min of training on {executor}, {found['workers']} at a time"
        " (a step of each row was timed here)"
    )
    for sentence in found["power"]:
        typer.echo(sentence)


def print_result(view: Any, paths: list[Path], as_json: bool) -> None:
    """The table on stdout, and where its files are."""
    from msaf_bench.report.console import print_summary
    from msaf_bench.report.document import to_json

    if as_json:
        print_json(to_json(view) | {"files": [str(path) for path in paths]})
    else:
        print_summary(view)
        for path in paths:
            if path.suffix in (".csv", ".md", ".tex", ".html"):
                typer.echo(f"wrote {path}")
        if not view.summary.undrawn:
            typer.echo(f"figures in {paths[0].parent / 'figures'}")
    _check_drawn(view.summary.undrawn)
