"""`msaf-bench tune`: search hyper-parameters for every row of a table with an equal budget."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from msaf_bench.cli.ablate_options import (
    Address,
    DryRun,
    Gpus,
    On,
    Resume,
    Rows,
    Start,
    TableArgument,
    TableOption,
    Threads,
    Workers,
    read_starts,
    table_name,
)
from msaf_bench.cli.options import (
    CACHE_GIB,
    OUTPUT,
    SEED,
    TRACKERS,
    CacheFolder,
    CacheGib,
    Changes,
    Data,
    Device,
    History,
    Json,
    LoaderThreads,
    Plugins,
    Preset,
    Root,
    Track,
    at_most,
    choice,
    choices,
    split_list,
)
from msaf_bench.cli.printing import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msaf_bench.spec.search import Method, Stopping
    from msaf_bench.sweep.tuning.search import Search
    from msaf_bench.tuning import Searches, TuningOutcome

SEARCH = "Search"
METHODS = ("random", "optuna")
STOPPINGS = ("none", "asha", "median")


def tune(
    name: TableArgument = None,
    table: TableOption = None,
    space: Annotated[
        str,
        typer.Option(
            "--space",
            metavar="SPACE",
            rich_help_panel=SEARCH,
            help=(
                "Search space: a name in ablations/spaces, a .toml file, or axis (the values of"
                " the table's own axis)."
            ),
        ),
    ] = "rates",
    trials: Annotated[
        int,
        typer.Option(
            "--trials",
            min=1,
            metavar="N",
            callback=at_most(200, "the report page shows no more attempts"),
            rich_help_panel=SEARCH,
            help="Number of attempts per row; the first one uses the row's default values.",
        ),
    ] = 8,
    method: Annotated[
        str,
        typer.Option(
            metavar=choices(METHODS),
            callback=choice("method", METHODS),
            rich_help_panel=SEARCH,
            help="Search method: random, or optuna (TPE; needs msaf-bench[search]).",
        ),
    ] = "random",
    stopping: Annotated[
        str,
        typer.Option(
            metavar=choices(STOPPINGS),
            callback=choice("stopping rule", STOPPINGS),
            rich_help_panel=SEARCH,
            help=(
                "Early stopping of attempts that fall behind others of the same row: none, asha or"
                " median. asha and median need Ray."
            ),
        ),
    ] = "none",
    rungs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most(100, "validation would take longer than training"),
            rich_help_panel=SEARCH,
            show_default="4 with early stopping, otherwise 1",
            help="Number of validations per attempt.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--search-seed",
            min=0,
            metavar="N",
            callback=SEED,
            rich_help_panel=SEARCH,
            help="Seed of the random draws from the search space.",
        ),
    ] = 0,
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    rows: Rows = None,
    start: Start = None,
    on: On = None,
    address: Address = None,
    workers: Workers = None,
    gpus_per_trial: Gpus = 0.0,
    threads: Threads = 1,
    loader_threads: LoaderThreads = None,
    device: Device = "cpu",
    cache: CacheGib = CACHE_GIB,
    cache_folder: CacheFolder = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            show_default="reports/tune-TABLE-DATA-PRESET",
            help="Output folder of this search: attempts, attempts.csv and tuned.toml.",
        ),
    ] = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    track: Track = None,
    changes: Changes = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Search hyper-parameters for every row of a table with an equal budget. Attempts are scored
    on a held-out part of the training split. `ablate --tuned` trains the rows with the best values.

    A table with an axis is tuned at every value of the axis.
    """
    from msaf_bench.ablation import prepare as prepare_ablation
    from msaf_bench.catalog import read_space, read_table
    from msaf_bench.cli.settings import table_run
    from msaf_bench.inputs import file_name
    from msaf_bench.sweep.executors import cluster_of
    from msaf_bench.sweep.tuning.search import AXIS
    from msaf_bench.tuning import check, prepare

    read = read_table(table_name("tune", name, table))
    given = table_run(
        read,
        preset=preset,
        data=data,
        root=root,
        changes=changes,
        history=history,
        start=start,
        plugins=plugins,
        address=address,
        threads=threads,
    )
    conditions = given.conditions
    folder = reports or Path("reports") / file_name(
        f"tune-{read.name}-{conditions.data}-{Path(conditions.preset).stem}"
    )
    cluster = cluster_of(on, address, workers, gpus_per_trial)
    ablation = prepare_ablation(
        read,
        conditions,
        root=given.root,
        seeds=1,
        rows=split_list(rows, [label for label, _ in read.rows]),
        controls=False,
        cluster=cluster,
        speed_processes=0,
        threads=threads,
        loader_threads=loader_threads,
        device=device,
        cache_gib=cache,
        cache_folder=cache_folder,
        plugins=given.plugins,
        reports=folder,
        resume=resume,
        pictures=False,
        start=read_starts(start),
        track=split_list(track, TRACKERS),
    )
    tuning = prepare(
        ablation.plan,
        ablation.setting,
        space=None if space == AXIS else read_space(space),
        trials=trials,
        method=cast("Method", method),
        stopping=cast("Stopping", stopping),
        rungs=rungs or (1 if stopping == "none" else 4),
        seed=seed,
        cluster=cluster,
        resume=resume,
    )
    if dry_run:
        check(tuning)
        _print_plan(tuning, as_json)
        return
    _run(tuning, ablation.track, as_json)


def plan_lines(tuning: "Searches") -> list[str]:
    """Return the lines of the plan: attempts, method, space, scoring and output folder."""
    from msaf_bench.findings.digits import counted

    first = tuning.parts[0].search
    conditions, rows = first.plan.conditions, counted(len(first.plan.rows), "row")
    points = f"{counted(len(tuning.parts), 'point')} x " if len(tuning.parts) > 1 else ""
    how = f"{first.method} search"
    if first.stopping != "none":
        how += f", {first.stopping} stopping"
    return [
        f"Tune {first.plan.table.name} on {conditions.data}, preset {conditions.preset}",
        f"  {tuning.attempts} attempts = {points}{rows} x {first.trials}, the defaults first",
        f"  {how} of {', '.join(_names(first))}",
        f"  {conditions.steps:,} steps each, scored on a held-out part of the training split",
        f"  writes to {tuning.setting.workspace.folder}",
    ]


def _names(search: "Search") -> list[str]:
    return list(dict.fromkeys(name for spans in search.spans.values() for name in spans))


def _print_plan(tuning: "Searches", as_json: bool) -> None:
    first = tuning.parts[0].search
    if as_json:
        content = {
            "table": first.plan.table.name,
            "rows": list(first.plan.rows),
            "points": [part.point for part in tuning.parts if part.point],
            "trials": first.trials,
            "attempts": tuning.attempts,
            "steps": first.plan.conditions.steps,
            "space": first.space.model_dump(mode="json"),
            "folder": str(tuning.setting.workspace.folder),
        }
        print_json(content)
        return
    for line in plan_lines(tuning):
        typer.echo(line)


def _run(tuning: "Searches", track: "Sequence[str]", as_json: bool) -> None:
    from msaf_bench.cli.search_progress import SearchProgress
    from msaf_bench.foreign import to_stderr
    from msaf_bench.sweep.tracking import tracked
    from msaf_bench.tuning import run

    progress = SearchProgress(tuning.parts[0].search.attempts, plan_lines(tuning))
    try:
        folder = tuning.setting.workspace.folder
        with progress, to_stderr(), tracked(progress, track, folder) as events:
            outcome = run(tuning, events, progress.attempts)
    except (KeyboardInterrupt, SystemExit):
        progress.note("stopped; the same command with --resume continues")
        raise
    _print_outcome(outcome, as_json)
    if outcome.without:
        raise typer.Exit(1)


def _print_outcome(outcome: "TuningOutcome", as_json: bool) -> None:
    tuned = outcome.tuned
    if as_json:
        print_json({**tuned.model_dump(mode="json", exclude={"name"}), "file": str(outcome.path)})
        return
    for point, rows in tuned.points or (("", tuned.rows),):
        if point:
            typer.echo(point)
        for label, row in rows:
            values = row.shown or "as it is"
            before = "-" if row.default is None else f"{row.default:.1f}"
            ill = f"; NOT LIVE: {', '.join(row.dead)}" if row.dead else ""
            typer.echo(f"{label:<20} mIoU {before:>5} -> {row.miou:.1f} with {values}{ill}")
    for label in outcome.without:
        typer.echo(f"{label}: no attempt was trained to its end; see {outcome.path.parent}")
    typer.echo(f"mIoU of one seed on {tuned.scored}")
    typer.echo(f"msaf-bench ablate {tuned.table} --tuned {outcome.path}")
