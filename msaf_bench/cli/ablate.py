"""`msaf-bench ablate`: train and score every row of a table, then write the table."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from msaf_bench.cli.ablate_options import (
    Address,
    Controls,
    DryRun,
    GpuMemory,
    Gpus,
    GpuTflops,
    On,
    Reports,
    Resume,
    Rows,
    Seeds,
    SpeedProcesses,
    Start,
    TableArgument,
    TableOption,
    Threads,
    TunedFile,
    Workers,
    read_starts,
    table_name,
)
from msaf_bench.cli.estimate_text import print_estimates
from msaf_bench.cli.options import (
    CACHE_GIB,
    TRACKERS,
    CacheFolder,
    CacheGib,
    Changes,
    Data,
    Device,
    History,
    Json,
    LoaderThreads,
    Overwrite,
    Pictures,
    Plugins,
    Preset,
    Root,
    Track,
    split_list,
)
from msaf_bench.cli.processes import together
from msaf_bench.errors import HostError

if TYPE_CHECKING:
    from msaf_bench.ablation import Ablation
    from msaf_bench.cli.progress import SweepProgress


@together
def ablate(
    name: TableArgument = None,
    table: TableOption = None,
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    seeds: Seeds = 5,
    rows: Rows = None,
    controls: Controls = True,
    start: Start = None,
    tuned: TunedFile = None,
    on: On = None,
    address: Address = None,
    workers: Workers = None,
    gpus_per_trial: Gpus = 0.0,
    gpu_memory: GpuMemory = None,
    gpu_tflops: GpuTflops = None,
    speed: SpeedProcesses = 2,
    threads: Threads = 1,
    loader_threads: LoaderThreads = None,
    device: Device = "cpu",
    cache: CacheGib = CACHE_GIB,
    cache_folder: CacheFolder = None,
    reports: Reports = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    pictures: Pictures = True,
    changes: Changes = None,
    plugins: Plugins = None,
    track: Track = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train and score every row of a table with several seeds. The output is tables (CSV, Markdown,
    LaTeX), figures and an HTML page.

    A table with an axis, such as when_motion_helps, is run once per value of the axis and is
    reported as curves. If the same command is started twice, the two processes share the values.
    """
    from msaf_bench.catalog import read_table, read_tuned
    from msaf_bench.cli.settings import table_run

    read = read_table(table_name("ablate", name, table))
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

    from msaf_bench.ablation import prepare
    from msaf_bench.sweep.executors import cluster_of

    ablation = prepare(
        read,
        given.conditions,
        root=given.root,
        seeds=seeds,
        rows=split_list(rows, [label for label, _ in read.rows]),
        controls=controls,
        cluster=cluster_of(on, address, workers, gpus_per_trial),
        speed_processes=speed,
        threads=threads,
        loader_threads=loader_threads,
        device=device,
        cache_gib=cache,
        cache_folder=cache_folder,
        gpu_memory_gib=gpu_memory,
        plugins=given.plugins,
        reports=reports,
        resume=resume,
        pictures=pictures,
        start=read_starts(start),
        track=split_list(track, TRACKERS),
        tuned=read_tuned(tuned) if tuned else None,
    )
    if dry_run:
        print_estimates(ablation, gpu_tflops, as_json)
        return
    ablation.setting.workspace.check_free(read.name, overwrite=overwrite)
    _run(ablation, as_json)


def _run(ablation: "Ablation", as_json: bool) -> None:
    from msaf_bench.ablation import run
    from msaf_bench.cli.outcome import print_outcome
    from msaf_bench.cli.plan_text import plan_lines, stop_line
    from msaf_bench.cli.progress import SweepProgress, phases_of
    from msaf_bench.foreign import to_stderr

    lines = [*plan_lines(ablation, resume=ablation.resume), stop_line(resumed=ablation.resume)]
    progress = SweepProgress(
        phases_of(ablation.plan, speed=ablation.speed_processes > 0), opening=lines
    )
    with progress, _resumable(progress, resumed=ablation.resume), to_stderr():
        outcome = run(ablation, progress)
    for folder in outcome.left:
        typer.echo(
            f"{folder} is in use by another process; run `msaf-bench report"
            f" {ablation.setting.workspace.folder}` after it has finished",
            err=True,
        )
    print_outcome(outcome, as_json)
    if progress.failed:
        raise typer.Exit(1)


@contextmanager
def _resumable(progress: "SweepProgress", *, resumed: bool) -> "Generator[None]":
    """Print how to continue a stopped run; `resumed` tells whether --resume was given."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, HostError) as error:
        if progress.trained or not isinstance(error, HostError):
            tally = progress.tally
            count = f"{tally.ended} of {tally.total} trials are finished, " if tally.total else ""
            rest = "the same command runs the rest" if resumed else "--resume runs the rest"
            progress.note(f"stopped; {count}{rest}")
        raise
