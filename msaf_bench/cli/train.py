"""`msaf-bench train`: train and score one system."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import (
    CACHE_GIB,
    OUTPUT,
    RUN,
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
    Threads,
    Track,
    split_list,
    systems,
)
from msaf_bench.cli.processes import together
from msaf_bench.errors import HostError
from msaf_bench.inputs import file_name


@together
def train(
    system: Annotated[
        str,
        typer.Argument(
            metavar="SYSTEM",
            autocompletion=systems,
            help="System to train: a name from `msaf-bench list systems` or a .toml file.",
        ),
    ],
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            callback=SEED,
            rich_help_panel=RUN,
            help="Seed of the starting weights and of the order of the clips.",
        ),
    ] = 0,
    device: Device = "cpu",
    threads: Threads = 1,
    loader_threads: LoaderThreads = None,
    cache: CacheGib = CACHE_GIB,
    cache_folder: CacheFolder = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            show_default="reports/train-SYSTEM-DATA-PRESET",
            help="Output folder of this run: record and checkpoints.",
        ),
    ] = None,
    changes: Changes = None,
    plugins: Plugins = None,
    track: Track = None,
    as_json: Json = False,
) -> None:
    """Train and score one system; write a record and a checkpoint. The same command continues a
    stopped run from its last checkpoint.
    """
    from msaf_bench.analyzers.evaluation import SplitScores
    from msaf_bench.catalog import read_system
    from msaf_bench.cli.progress import SweepProgress
    from msaf_bench.cli.scores import print_scores
    from msaf_bench.cli.settings import check_data, conditions_from, use_plugins
    from msaf_bench.cli.status import RunStatus
    from msaf_bench.data.prefetch import default_threads
    from msaf_bench.host import check_device
    from msaf_bench.records import read_record, read_records
    from msaf_bench.spec import Trial
    from msaf_bench.spec.stand_ins import shrunk
    from msaf_bench.sweep.driver import pretrained
    from msaf_bench.sweep.executors import run_here
    from msaf_bench.sweep.plan import pretraining_of
    from msaf_bench.sweep.tracking import check_trackers, tracked
    from msaf_bench.sweep.workspace import Setting, Workspace, check_starts
    from msaf_bench.train.checkpoint import steps_in
    from msaf_bench.train.parallel import check_group, current

    trackers = split_list(track, TRACKERS)
    check_trackers(trackers)
    modules = use_plugins(plugins)
    conditions = conditions_from(preset, data, changes, history, systems=True, plugins=modules)
    read = read_system(system)
    small = shrunk(read, conditions)
    trial = Trial(system=small, conditions=conditions, seed=seed)
    folder = (
        reports
        or Path("reports") / file_name(f"train-{read.name}-{conditions.data}-{Path(preset).stem}")
    ).resolve()
    if loader_threads is None:
        loader_threads = default_threads(device, threads)
    setting = Setting(
        Workspace(folder),
        check_data(data, root, modules),
        device,
        threads,
        modules,
        loader_threads=loader_threads,
        cache_gib=cache,
        cache_folder=cache_folder.resolve() if cache_folder else None,
    )
    check_device(device)
    check_group(conditions, current().size)
    check_starts([trial], read_records(setting.workspace.records).values())
    tally = RunStatus({trial.id: read.name}, [trial], {})
    with (
        setting.workspace.lock(),
        SweepProgress((), tally) as progress,
        tracked(progress, trackers, folder) as events,
    ):
        try:
            setting = pretrained(
                pretraining_of(small, conditions) if conditions.pretrain_steps else None,
                setting,
                events,
            )
            events.phase("trials", 0, 1)
            run_here([trial], setting, events)
        except (KeyboardInterrupt, SystemExit, HostError):
            kept = steps_in(setting.workspace.checkpoints(trial))
            progress.note(
                f"stopped; the same command continues from step {kept[-1] if kept else 0} of"
                f" {conditions.steps}"
            )
            raise
    record = read_record(setting.workspace.record(trial))
    shutil.rmtree(setting.workspace.frames, ignore_errors=True)
    if record.confusion is None:
        raise typer.Exit(1)
    checkpoint = max(setting.workspace.checkpoints(trial).glob("step-*.safetensors"))
    about: dict[str, object] = {"checkpoint": str(checkpoint), "data": data, "seed": seed}
    if record.validation:
        step = record.kept_step or record.validation[-1][0]
        validation = dict(record.validation)
        about |= {"scored_step": step, "validation_miou": round(validation[step], 2)}
    scores = SplitScores(
        record.class_names,
        record.confusion.sparse(),
        record.still.sparse().sum() if record.still else None,
        record.consistency,
        record.consistency[0].flow if record.consistency else "",
    )
    print_scores(scores.document(about), as_json=as_json)
