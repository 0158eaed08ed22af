"""Records in, findings out: every number of a report is made here, and only from records.

Shapes: N images, K classes, R rows, S seeds.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import best_constant, iou_per_class, miou
from msaf_bench.analyzers.speed.measure import Speed
from msaf_bench.errors import UsageError
from msaf_bench.records import Record, SystemCost, hosts_of
from msaf_bench.report.findings import Control, Measures, RowSummary, Run, Summary, Verdict
from msaf_bench.report.measures import measures_of
from msaf_bench.spec import Conditions, Ordering, Row, System, Table, Trial
from msaf_bench.stats import Agreement, Difference, agreement, effects, friedman, holm, judge, mean_interval, paired_difference

Scores = Mapping[str, Mapping[int, float]]  # row label -> seed -> mIoU

__all__ = ["Summary", "summarise"]


def summarise(
    table: Table,
    systems: Mapping[str, System],
    trials: Sequence[Trial],
    records: Mapping[str, Record],
    speeds: Mapping[str, Sequence[Speed]] = MappingProxyType({}),
    costs: Mapping[str, SystemCost] = MappingProxyType({}),
) -> Summary:
    """All that the records say of the table.

    `systems` gives every row's system by label; `trials` are those that were asked for, which is how a missing one is known;
    `records` are by trial id, `speeds` and `costs` (of the systems as published) by row label. Raises `UsageError` where there is no
    trial, or where conditions or classes differ.
    """
    conditions = _only_conditions(trials)
    runs = {label: _runs(systems.get(label), trials, records) for label, _ in table.rows}
    done = {label: [records[run.trial] for run in row if run.miou is not None] for label, row in runs.items()}
    scores = {label: {run.seed: run.miou for run in row if run.miou is not None} for label, row in runs.items()}
    kept = [record for row in done.values() for record in row]
    class_names, printed = _only_class_names(kept), _printed(table)
    control = _control(kept[0], class_names) if kept else None
    ticks = {label: _ticks(table, systems.get(label), systems[table.reference]) for label in runs}
    compared = _compared(table, runs, scores)
    measures = {label: measures_of(found, done[table.reference], speeds.get(label, ()), costs.get(label)) for label, found in done.items()}
    return Summary(
        table=table,
        rows=tuple(
            _row(label, row, systems.get(label), ticks[label], runs[label], done[label], compared.get(label), control, measures[label])
            for label, row in table.rows
        ),
        verdicts=tuple(_verdict(ordering, printed, scores) for ordering in _orderings(table)),
        agreement=_agreement(printed, scores),
        omnibus=friedman(_by_seed(list(scores), scores)),
        effects=effects([column for column, _ in table.ticks], list(ticks.values()), list(scores.values())),
        control=control,
        conditions=conditions,
        hosts=hosts_of([record for row in runs.values() for run in row if (record := records.get(run.trial))]),
        seeds=tuple(sorted({trial.seed for trial in trials})),
        data=tuple(dict.fromkeys(record.data for record in kept)),
        starts=tuple(dict.fromkeys(record.start for record in kept)),
        class_names=class_names,
        notes=_notes(kept),
    )


def _only_conditions(trials: Sequence[Trial]) -> Conditions:
    found = {trial.conditions.canonical(): trial.conditions for trial in trials}
    if len(found) != 1:
        raise UsageError(f"a report needs trials under one set of conditions, got {len(found)}; report each set by itself")
    return next(iter(found.values()))


def _only_class_names(records: Sequence[Record]) -> tuple[str, ...]:
    found = {record.class_names: record.trial.id for record in records}
    if len(found) > 1:
        raise UsageError(f"records {' and '.join(found.values())} score different classes and cannot share a table")
    return next(iter(found), ())


def _runs(system: System | None, trials: Sequence[Trial], records: Mapping[str, Record]) -> tuple[Run, ...]:
    if system is None:
        return ()
    mine = sorted((trial for trial in trials if trial.system.key == system.key), key=lambda trial: trial.seed)
    return tuple(_run(trial, records.get(trial.id)) for trial in mine)


def _run(trial: Trial, record: Record | None) -> Run:
    if record is None:
        return Run(trial.seed, trial.id, "missing")
    if record.state == "failed":
        return Run(trial.seed, trial.id, "failed", record.reason)
    score = miou(_confusion(record)) if record.confusion else float("nan")
    if not np.isfinite(score):
        return Run(trial.seed, trial.id, "failed", "it finished without a score")
    return Run(trial.seed, trial.id, "done", miou=score)


def _confusion(record: Record) -> NDArray[np.int64]:
    """(K, K) counts of the whole split: rows truth, columns prediction."""
    assert record.confusion is not None
    return record.confusion.unpack().sum(0)


def _control(record: Record, class_names: Sequence[str]) -> Control:
    confusion = _confusion(record)
    most = int(confusion.sum(1).argmax())
    return Control(class_names[most] if class_names else f"class {most}", best_constant(confusion))


def _ticks(table: Table, system: System | None, base: System) -> tuple[bool, ...]:
    have, full = dict(system.slots) if system else {}, dict(base.slots)
    return tuple(slot in have and slot in full and have[slot].use == full[slot].use for _, slot in table.ticks)


def _compared(table: Table, runs: Mapping[str, tuple[Run, ...]], scores: Scores) -> dict[str, tuple[Difference, float]]:
    """Difference to the reference row and its p adjusted by Holm, by label."""
    family = [label for label, row in runs.items() if row and label != table.reference]
    found = {label: paired_difference(scores[label], scores[table.reference]) for label in family}
    # The family is the comparisons that were planned: one without data counts as p = 1, so a crash never makes another significant.
    adjusted = holm([difference.p if (difference := found[label]) else 1.0 for label in family])
    return {label: (difference, p) for label, p in zip(family, adjusted, strict=True) if (difference := found[label])}


def _row(
    label: str,
    row: Row,
    system: System | None,
    ticks: tuple[bool, ...],
    runs: tuple[Run, ...],
    records: Sequence[Record],
    compared: tuple[Difference, float] | None,
    control: Control | None,
    measures: Measures,
) -> RowSummary:
    values = [run.miou for run in runs if run.miou is not None]
    interval = mean_interval(values) if values else None
    per_class, per_class_sd = _per_class(records)
    clears = interval.low > control.miou if interval and interval.low is not None and control else None
    return RowSummary(
        label=label,
        system=system,
        note=row.note,
        ticks=ticks,
        published=dict(row.paper).get("miou"),
        runs=runs,
        interval=interval,
        per_class=per_class,
        per_class_sd=per_class_sd,
        params=records[0].params if records else None,
        loss=_loss(records),
        difference=compared[0] if compared else None,
        p_holm=compared[1] if compared else None,
        measures=measures,
        clears_constant=clears,
    )


def _per_class(records: Sequence[Record]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """IoU of each class: its mean over the seeds that have one, and their standard deviation."""
    if not records:
        return (), ()
    scores = 100 * np.array([iou_per_class(_confusion(record)) for record in records])  # (S, K)
    known = np.isfinite(scores)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, scores, 0).sum(0) / count
        spread = np.sqrt((np.where(known, scores - mean, 0) ** 2).sum(0) / np.where(count > 1, count - 1, np.nan))
    return tuple(mean.tolist()), tuple(spread.tolist())


def _loss(records: Sequence[Record]) -> tuple[tuple[int, float], ...]:
    steps: dict[int, list[float]] = {}
    for record in records:
        for step, loss in record.loss:
            steps.setdefault(step, []).append(loss)
    return tuple((step, float(np.mean(losses))) for step, losses in sorted(steps.items()))


def _printed(table: Table) -> dict[str, float]:
    return {label: value for label, row in table.rows if (value := dict(row.paper).get("miou")) is not None}


def _orderings(table: Table) -> tuple[Ordering, ...]:
    """The paper's sentences, then what its printed numbers say of the reference row against each other row."""
    printed, reference = _printed(table), table.reference
    said = {frozenset((o.better, o.worse)) for o in table.orderings}
    implied = [
        Ordering(better=max(pair, key=printed.__getitem__), worse=min(pair, key=printed.__getitem__), source="printed numbers")
        for label in printed
        if label in table.built
        and frozenset(pair := (label, reference)) not in said
        and reference in printed
        and printed[label] != printed[reference]
    ]
    return (*table.orderings, *implied)


def _verdict(ordering: Ordering, printed: Mapping[str, float], scores: Scores) -> Verdict:
    points = ordering.points
    if points is None and ordering.better in printed and ordering.worse in printed:
        points = round(printed[ordering.better] - printed[ordering.worse], 6)
    difference = paired_difference(scores[ordering.better], scores[ordering.worse])
    decision = judge(difference.interval if difference else None)
    return Verdict(ordering.better, ordering.worse, ordering.source, points, difference, decision)


def _agreement(printed: Mapping[str, float], scores: Scores) -> Agreement:
    """Over the rows that have both a printed and a measured number."""
    both = [label for label in printed if scores[label]]
    return agreement([printed[label] for label in both], _by_seed(both, scores))


def _by_seed(labels: Sequence[str], scores: Scores) -> NDArray[np.float64]:
    """The scores as (R, S), NaN where a row lacks a seed."""
    seeds = sorted({seed for label in labels for seed in scores[label]})
    return np.array([[scores[label].get(seed, np.nan) for seed in seeds] for label in labels]).reshape(len(labels), len(seeds))


def _notes(records: Sequence[Record]) -> tuple[str, ...]:
    kinds = {
        "data of different content": len({record.data for record in records}),
        "different machines or versions": len(hosts_of(records)),
        "networks with different plug-ins": len({record.plugins for record in records}),
        "backbones with different starting weights": len({record.start for record in records}),
    }
    return tuple(f"The records come from {what}: rows may differ in more than their parts." for what, count in kinds.items() if count > 1)
