"""Records in, findings out: every number of a report is made from records, and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from msaf_bench.analyzers.miou import best_constant
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.errors import DataError, UsageError
from msaf_bench.findings.controls import Controls, controls_of, row_conditions, single_frame
from msaf_bench.findings.orders import agreement_of, by_seed, verdicts_of
from msaf_bench.findings.parts import excused
from msaf_bench.findings.rows import rows_of, with_grounds
from msaf_bench.findings.subjects import ControlSummary, RowSummary
from msaf_bench.findings.summary import Constant, Summary
from msaf_bench.findings.trials import confusion_of, find
from msaf_bench.records import Record, SystemCost, hosts_of
from msaf_bench.spec import Conditions, System, Table, Trial
from msaf_bench.stats import effects, friedman, shapley

__all__ = ["Summary", "summarise"]


def summarise(
    table: Table,
    systems: Mapping[str, System],
    trials: Sequence[Trial],
    records: Mapping[str, Record],
    speeds: Mapping[str, Sequence[Speed]] = MappingProxyType({}),
    costs: Mapping[str, SystemCost] = MappingProxyType({}),
    controls: Controls = MappingProxyType({}),
    *,
    allow_mixed: bool = False,
) -> Summary:
    """All that the records say of the table.

    Args:
        table: the rows, with their printed numbers
        systems: of every row that can be run, by label
        trials: those that were asked for, of rows and controls; one without a record is missing
        records: by trial id
        speeds: by row label
        costs: of the systems as published, by row label
        controls: system and conditions by label
        allow_mixed: whether records that read different data may share the table; a note says that
        they do

    Raises `UsageError` for no trial, for rows under different conditions, and for classes that
    differ; `DataError` for mixed data.
    """
    conditions = row_conditions(trials, controls)
    found = {
        label: find(systems.get(label), conditions, trials, records) for label, _ in table.rows
    }
    kept = [record for row in found.values() for record in row.records]
    class_names = _only_class_names(kept)
    finished = [
        record for trial in trials if (record := records.get(trial.id)) and record.state == "done"
    ]
    if not allow_mixed:
        _one_data(finished)
    constant = _constant(kept[0], class_names) if kept else None
    rows = rows_of(table, systems, found, constant, speeds, costs)
    single = single_frame(table, systems, found, controls)
    beside = controls_of(table, controls, trials, records, found, single)
    empty = _nothing_to_find(beside)
    if empty:
        rows = tuple(replace(row, parts=excused(row.parts)) for row in rows)
        beside = tuple(replace(control, parts=excused(control.parts)) for control in beside)
    rows = with_grounds(rows, table.reference)
    ill = {row.label: row.ill for row in rows if row.dead}
    scores = {label: row.scores for label, row in found.items()}
    sound = {label: of for label, of in scores.items() if label not in ill}
    design = (
        [column for column, _ in table.ticks],
        [row.ticks for row in rows],
        list(scores.values()),
    )
    return Summary(
        table=table,
        rows=rows,
        verdicts=verdicts_of(table, scores, ill, conditions),
        agreement=agreement_of(table, sound),
        omnibus=friedman(by_seed(list(sound), sound)),
        effects=effects(*design),
        shares=shapley(*design),
        constant=constant,
        conditions=conditions,
        hosts=hosts_of(
            [
                record
                for subject in (*rows, *beside)
                for run in subject.runs
                if (record := records.get(run.trial))
            ]
        ),
        seeds=tuple(sorted({trial.seed for trial in trials})),
        data=tuple(dict.fromkeys(record.data for record in kept)),
        starts=tuple(dict.fromkeys(record.start for record in kept)),
        class_names=class_names,
        notes=(
            *_mixed(finished, _origins(finished, records)),
            *_partial(conditions, trials, finished),
            *_no_pulse(rows),
            *([NOTHING] if empty else []),
        ),
        controls=beside,
        single=single,
    )


NOTHING = (
    "The positive control finds nothing in past frames here: a network that ignores them, or an"
    " aligner of them, counts as live."
)


def _nothing_to_find(controls: Sequence[ControlSummary]) -> bool:
    """Whether there are positive controls with an interval and none of them is separated
    from zero.
    """
    found = [
        past
        for control in controls
        if control.role == "positive" and (past := control.measures.past) and past.low is not None
    ]
    return bool(found) and all(past.low is not None and past.low <= 0 for past in found)


def _only_class_names(records: Sequence[Record]) -> tuple[str, ...]:
    found = {record.class_names: record.trial.id for record in records}
    if len(found) > 1:
        raise UsageError(
            f"records {' and '.join(found.values())} score different classes and cannot share a"
            " table"
        )
    return next(iter(found), ())


def _constant(record: Record, class_names: Sequence[str]) -> Constant:
    confusion = confusion_of(record)
    most = int(confusion.sum(1).argmax())
    return Constant(class_names[most] if class_names else f"class {most}", best_constant(confusion))


def _origins(kept: Sequence[Record], records: Mapping[str, Record]) -> list[Record]:
    """The records of the pre-trainings that the backbones started from."""
    return [
        record
        for i, record in records.items()
        if any(f"pre-training {i}," in start for start in {r.start for r in kept})
    ]


def _mixed(records: Sequence[Record], origins: Sequence[Record]) -> tuple[str, ...]:
    kinds = {
        "data of different content": len({record.data for record in records}),
        "different machines or versions": len(hosts_of([*records, *origins])),
        "networks with different plug-ins": len({record.plugins for record in records}),
        "backbones with different starting weights": len({record.start for record in records}),
    }
    return tuple(
        f"The records come from {what}: rows may differ in more than their parts."
        for what, count in kinds.items()
        if count > 1
    )


def _one_data(records: Sequence[Record]) -> None:
    found = {record.data: record.trial.id for record in records}
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise DataError(
            f"records {first} and {second} read different data ({one} and {other}) and share no"
            " table; move those of one kind away and run their trials again, or see all with"
            " `msaf-bench report --allow-mixed`"
        )


def _partial(
    conditions: Conditions, trials: Sequence[Trial], finished: Sequence[Record]
) -> tuple[str, ...]:
    notes = list[str]()
    if dict(conditions.data_options).get("allow_partial"):
        notes.append(
            "The data set is partial (allow_partial): its numbers are not those of the official"
            " splits."
        )
    if missing := len(trials) - len(finished):
        notes.append(f"The run is partial: {missing} of {len(trials)} trials are not finished.")
    return tuple(notes)


def _no_pulse(rows: Sequence[RowSummary]) -> tuple[str, ...]:
    """A note on finished rows whose records were made before pulses were taken."""
    finished = [row for row in rows if row.measured]
    without = [row.label for row in finished if not row.parts]
    if not without:
        return ()
    which = "any row" if len(without) == len(finished) else ", ".join(without)
    return (
        (
            f"No pulse was taken of the parts of {which}: it is not known whether every part there"
            " is live."
        ),
    )
