"""From records to the findings of a table; the only source of the numbers in reports."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from msaf_bench.analyzers.miou import best_constant
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import conditions_of
from msaf_bench.errors import DataError, UsageError
from msaf_bench.findings.controls import Controls, controls_of, row_conditions, single_frame
from msaf_bench.findings.orders import agreement_of, by_seed, verdicts_of
from msaf_bench.findings.parts import excused
from msaf_bench.findings.rows import rows_of, with_grounds
from msaf_bench.findings.subjects import ControlSummary, RowSummary, Subject
from msaf_bench.findings.summary import Constant, Summary
from msaf_bench.findings.trials import Result, Trials, by_subject
from msaf_bench.records import BIT_FOR_BIT, Host, Record, SystemCost, hosts_of
from msaf_bench.spec import Conditions, System, Table, Trial
from msaf_bench.stats import effects, friedman, shapley

__all__ = ["Summary", "summarise"]


def summarise(
    table: Table,
    systems: Mapping[str, System],
    trials: Sequence[Trial],
    results: Mapping[str, Result],
    speeds: Mapping[str, Sequence[Speed]] = MappingProxyType({}),
    costs: Mapping[str, SystemCost] = MappingProxyType({}),
    controls: Controls = MappingProxyType({}),
    *,
    conditions: Conditions | None = None,
    allow_mixed: bool = False,
) -> Summary:
    """Return all findings from the records of a table.

    Args:
        table: rows with their printed numbers
        systems: system of every row that can be run, by label
        trials: planned trials of rows and controls; a trial without a record is missing
        results: reduced records by trial id
        speeds: timings by row label
        costs: cost at the published size, by row label
        controls: system and conditions by label
        conditions: conditions of the table; None: those shared by the trials of all rows
        allow_mixed: whether records of different data may share the table; a note says so

    Raises:
        UsageError: without trials, for rows under different conditions, or for different classes
        DataError: for records of different data without `allow_mixed`
    """
    conditions = conditions or row_conditions(trials, controls)
    asked = {trial.id: trial for trial in trials}
    own = conditions_of(table, conditions)
    subjects = {label: (system, own[label]) for label, system in systems.items()}
    trials_of = {label: NO_TRIALS for label, _ in table.rows} | by_subject(
        subjects | dict(controls), asked, results
    )
    row_trials = {label: trials_of[label] for label, _ in table.rows}
    scored = [result for row in row_trials.values() for result in row.results]
    class_names = _only_class_names([result.record for result in scored])
    finished = [
        results[name].record
        for name in asked
        if name in results and results[name].record.state == "done"
    ]
    if not allow_mixed:
        _one_data(finished)
    constant = _constant(scored[0], class_names) if scored else None
    rows = rows_of(table, systems, row_trials, constant, speeds, costs)
    single = single_frame(table, systems, trials_of, controls)
    beside = controls_of(table, controls, trials_of, single)
    empty = _nothing_to_find(beside)
    if empty:
        rows = tuple(replace(row, parts=excused(row.parts)) for row in rows)
        beside = tuple(replace(control, parts=excused(control.parts)) for control in beside)
    rows = with_grounds(rows, table.reference)
    ill = {row.label: row.ill for row in rows if row.dead}
    scores = {label: row.scores for label, row in row_trials.items()}
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
        hosts=_hosts((*rows, *beside), results),
        seeds=tuple(sorted({trial.seed for trial in trials})),
        data=tuple(dict.fromkeys(result.record.data for result in scored)),
        starts=tuple(dict.fromkeys(result.record.start for result in scored)),
        class_names=class_names,
        notes=(
            *_mixed(finished, _origins(finished, results)),
            *_computed(finished),
            *_partial(conditions, len(asked), len(finished)),
            *_no_pulse(rows),
            *([NOTHING] if empty else []),
        ),
        controls=beside,
        single=single,
    )


NO_TRIALS = Trials((), ())
NOTHING = (
    "The positive control gains nothing from past frames here, so a network or aligner that ignores"
    " them counts as live."
)


def _nothing_to_find(controls: Sequence[ControlSummary]) -> bool:
    """Return whether positive controls have intervals but none lies above zero."""
    pasts = [control.measures.past for control in controls if control.role == "positive"]
    lows = [past.low for past in pasts if past and past.low is not None]
    return bool(lows) and all(low <= 0 for low in lows)


def _only_class_names(records: Sequence[Record]) -> tuple[str, ...]:
    by_classes = {record.class_names: record.trial for record in records}
    if len(by_classes) > 1:
        ids = " and ".join(trial.id for trial in by_classes.values())
        raise UsageError(f"records {ids} score different classes and cannot share a table")
    return next(iter(by_classes), ())


def _constant(result: Result, class_names: Sequence[str]) -> Constant:
    assert result.confusion is not None  # it has a score
    most = int(result.confusion.sum(1).argmax())
    name = class_names[most] if class_names else f"class {most}"
    return Constant(name, best_constant(result.confusion))


def _hosts(subjects: Sequence[Subject], results: Mapping[str, Result]) -> tuple[Host, ...]:
    """Return the hosts of all records, in the order of the rows and controls."""
    outcomes = [outcome for subject in subjects for outcome in subject.runs]
    return hosts_of([results[each.trial].record for each in outcomes if each.trial in results])


def _origins(finished: Sequence[Record], results: Mapping[str, Result]) -> list[Record]:
    """Return the records of the pre-trainings from which the backbones started."""
    starts = {record.start for record in finished}
    return [
        result.record
        for name, result in results.items()
        if any(f"pre-training {name}," in start for start in starts)
    ]


def _mixed(records: Sequence[Record], origins: Sequence[Record]) -> tuple[str, ...]:
    kinds = {
        "data of different content": len({record.data for record in records}),
        "different machines or versions": len(hosts_of([*records, *origins])),
        "networks with different plug-ins": len({record.plugins for record in records}),
        "backbones with different starting weights": len({record.start for record in records}),
        "different numbers of processes": len({record.processes for record in records}),
    }
    return tuple(
        f"The records come from {what}: rows may differ in more than their parts."
        for what, count in kinds.items()
        if count > 1
    )


def _computed(records: Sequence[Record]) -> tuple[str, ...]:
    """Return notes on several processes per trial and on kernels that are not deterministic."""
    counts = {record.processes for record in records}
    levels = sorted({record.determinism for record in records} - {"", BIT_FOR_BIT})
    return (
        *(f"Each trial was trained by {n} processes." for n in counts if counts == {n} != {1}),
        *(f"Deterministic kernels were {level}." for level in levels),
    )


def _one_data(records: Sequence[Record]) -> None:
    by_data = {record.data: record.trial for record in records}
    if len(by_data) > 1:
        (one, first), (other, second), *_ = by_data.items()
        raise DataError(
            f"records {first.id} and {second.id} read different data ({one} and {other}) and cannot"
            " share a table; move away the records of one kind and rerun their trials, or show all"
            " with `msaf-bench report --allow-mixed`"
        )


def _partial(conditions: Conditions, trials: int, finished: int) -> tuple[str, ...]:
    notes = list[str]()
    if dict(conditions.data_options).get("allow_partial"):
        notes.append(
            "The data set is partial (allow_partial): its numbers are not those of the official"
            " splits."
        )
    if missing := trials - finished:
        notes.append(f"The run is partial: {missing} of {trials} trials are not finished.")
    return tuple(notes)


def _no_pulse(rows: Sequence[RowSummary]) -> tuple[str, ...]:
    """Return a note on finished rows whose records have no pulse."""
    finished = [row for row in rows if row.measured]
    without = [row.label for row in finished if not row.parts]
    if not without:
        return ()
    which = "any row" if len(without) == len(finished) else ", ".join(without)
    return (f"No pulse was taken for {which}, so it is unknown whether all parts are live.",)
