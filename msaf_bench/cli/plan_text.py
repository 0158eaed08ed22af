"""The plan of an ablation in a few lines: `ablate` and `ablate --dry-run` begin with it."""

from collections import Counter
from pathlib import Path

from msaf_bench.ablation import Ablation, sweeps
from msaf_bench.cli.status import RunStatus, tally_of
from msaf_bench.cli.time_text import about
from msaf_bench.findings.digits import counted
from msaf_bench.spec import Conditions, Table
from msaf_bench.sweep.executors import at_once
from msaf_bench.sweep.plan import UNTUNED, Plan


def plan_lines(ablation: Ablation, *, resume: bool) -> list[str]:
    """Return what is run, how, how long it takes as far as finished trials tell, and where the
    results go.

    Raises `UsageError` where the folder holds another run, or this one and `resume` is off.
    """
    plan, tallies = ablation.plan, _tallies(ablation, resume=resume)
    total = sum(tally.total for tally in tallies)
    ended = sum(tally.ended for tally in tallies)
    conditions, preset = plan.conditions, Path(plan.conditions.preset).stem
    how = f"{conditions.steps:,} steps each"
    if conditions.pretrain_steps:
        how += f" after a common pre-training of {conditions.pretrain_steps:,} steps"
    lines = [
        f"{_name(plan.table)} on {conditions.data}, preset {preset}",
        f"{counted(total, 'trial')} = {_factors(plan, len(tallies))}, {ended} finished",
        how,
        *_validation(conditions),
        *_starts(plan),
        _where(ablation),
        *_memory(ablation),
        *_time(ablation, tallies),
        f"writes to {_short(ablation.setting.workspace.folder)}",
    ]
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def stop_line(*, resumed: bool) -> str:
    """Return how to stop and go on; `resumed` says whether the typed command has --resume."""
    again = "the same command goes on" if resumed else "the same command with --resume goes on"
    return f"  Ctrl-C stops it; {again}"


def _tallies(ablation: Ablation, *, resume: bool) -> list[RunStatus]:
    """Count the trials of each sweep; the points of a study are resumed whatever was typed."""
    study = bool(ablation.plan.table.axis)
    return [
        tally_of(plan, setting.workspace.finished(plan, resume=resume or study))
        for plan, setting in sweeps(ablation)
    ]


def _name(table: Table) -> str:
    """Return "Table 3" for table3, and the name of a table that is not the paper's."""
    return table.source if table.source.lower().replace(" ", "") == table.name else table.name


def _factors(plan: Plan, points: int) -> str:
    """Return what the number of trials is made of: "(9 rows + 4 controls) x 5 seeds"."""
    subjects = counted(len(plan.rows), "row")
    more = [counted(len(plan.controls), "control")] if plan.controls else []
    if untuned := {label for label in plan.labels().values() if label.endswith(UNTUNED)}:
        more.insert(0, f"{counted(len(untuned), 'row')} not tuned")
    if more:
        subjects = f"({' + '.join([subjects, *more])})"
    factors = [subjects, counted(plan.seeds, "seed")]
    if plan.table.axis:
        factors.insert(0, counted(points, "point"))
    return " x ".join(factors)


def _validation(conditions: Conditions) -> list[str]:
    """Return how training is validated, and which weights are kept; nothing without validation."""
    if not conditions.validate_every:
        return []
    best = "; the best weights are kept" if conditions.keep == "best" else ""
    every = counted(conditions.validate_every, "step")
    return [f"validated every {every} on a part of the training split that is held out{best}"]


def _starts(plan: Plan) -> list[str]:
    """Return what rows and controls start from, and how many; nothing where a common pre-training
    was named before.
    """
    if plan.conditions.pretrain_steps:
        return []
    starts = Counter(plan.starts().values())
    texts = {start: "random weights" if start == "random" else start for start in starts}
    if len(starts) == 1:
        return [f"every row starts from {text}" for text in texts.values()]
    whole = starts.total()
    return [
        f"{count} of {whole} rows and controls start from {texts[start]}"
        for start, count in starts.most_common()
    ]


def _where(ablation: Ablation) -> str:
    cluster = ablation.cluster
    if cluster is None:
        return "one trial at a time, in this process"
    if cluster.address is not None:
        return f"trials on the Ray cluster at {cluster.address}"
    workers = at_once(cluster, ablation.setting.cores)
    return f"{counted(workers, 'trial')} at a time, on Ray"


def _memory(ablation: Ablation) -> list[str]:
    """Return the GPU memory of a training step; nothing on a CPU."""
    if not ablation.setting.device.startswith("cuda"):
        return []
    from msaf_bench.sweep.memory import gpu_of, memory_text

    gpu = gpu_of(ablation.setting, ablation.cluster)
    return [memory_text(ablation.plan, gpu)]


def _time(ablation: Ablation, tallies: list[RunStatus]) -> list[str]:
    """Return how long the missing trials take if they take as long as the finished ones; nothing
    where a row has none, or the machines are others.
    """
    missing = sum(len(tally.missing) for tally in tallies)
    alone = [tally.seconds_alone() for tally in tallies]
    remote = ablation.cluster is not None and ablation.cluster.address is not None
    if not missing or remote or None in alone:
        return []
    seconds = sum(filter(None, alone)) / at_once(ablation.cluster, ablation.setting.cores)
    return [f"{about(seconds)} of trials if they take as long as the finished ones did"]


def _short(folder: Path) -> Path:
    """Return a folder below the current one without that."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
