"""Short text of an ablation's plan, printed first by `ablate` and `ablate --dry-run`."""

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
    """Return the lines of the plan: trials, conditions, executor, time and output folder.

    The time is estimated from finished trials, if there are any. Raises `UsageError` if the folder
    holds another run, or if it holds this run and `resume` is false.
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
    """Return how to stop and continue a run; `resumed` tells whether --resume was given."""
    again = "the same command continues" if resumed else "the same command with --resume continues"
    return f"  Ctrl-C stops the run; {again} it"


def _tallies(ablation: Ablation, *, resume: bool) -> list[RunStatus]:
    """Count the trials of each sweep; points of a study are resumed even without --resume."""
    study = bool(ablation.plan.table.axis)
    return [
        tally_of(plan, setting.workspace.finished(plan, resume=resume or study))
        for plan, setting in sweeps(ablation)
    ]


def _name(table: Table) -> str:
    """Return "Table 3" for table3; for a table outside the paper return its name."""
    return table.source if table.source.lower().replace(" ", "") == table.name else table.name


def _factors(plan: Plan, points: int) -> str:
    """Return the factors of the number of trials, e.g. "(9 rows + 4 controls) x 5 seeds"."""
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
    """Return the line about validation and the kept weights; none without validation."""
    if not conditions.validate_every:
        return []
    best = "; the best weights are kept" if conditions.keep == "best" else ""
    every = counted(conditions.validate_every, "step")
    return [f"validated every {every} on a held-out part of the training split{best}"]


def _starts(plan: Plan) -> list[str]:
    """Return the starting weights of rows and controls, with counts.

    Returns nothing for a common pre-training, which an earlier line names.
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
    """Return the line about the GPU memory of a training step; none on a CPU."""
    if not ablation.setting.device.startswith("cuda"):
        return []
    from msaf_bench.sweep.memory import gpu_of, memory_text

    gpu = gpu_of(ablation.setting, ablation.cluster)
    return [memory_text(ablation.plan, gpu)]


def _time(ablation: Ablation, tallies: list[RunStatus]) -> list[str]:
    """Return the time of the missing trials, based on the finished ones.

    Returns nothing if a row has no finished trial or if the trials run on other machines.
    """
    missing = sum(len(tally.missing) for tally in tallies)
    alone = [tally.seconds_alone() for tally in tallies]
    remote = ablation.cluster is not None and ablation.cluster.address is not None
    if not missing or remote or None in alone:
        return []
    seconds = sum(filter(None, alone)) / at_once(ablation.cluster, ablation.setting.cores)
    return [f"{about(seconds)} for the missing trials, at the speed of the finished ones"]


def _short(folder: Path) -> Path:
    """Return a folder relative to the current one if it lies below it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
