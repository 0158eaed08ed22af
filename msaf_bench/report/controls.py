"""The controls of a table: conditions that differ from the rows' in the past alone, and the row that they are compared with."""

from collections.abc import Mapping, Sequence

from msaf_bench.errors import UsageError
from msaf_bench.records import Record
from msaf_bench.report.findings import ControlSummary
from msaf_bench.report.measures import measures_of
from msaf_bench.report.parts import parts_of
from msaf_bench.report.trials import Found, find
from msaf_bench.spec import Conditions, System, Table, Trial
from msaf_bench.stats import mean_interval, paired_difference

Controls = Mapping[str, tuple[System, Conditions]]  # by label


def row_conditions(trials: Sequence[Trial], controls: Controls) -> Conditions:
    """The conditions that the trials of all rows share. Raises `UsageError` where there are several, or where a control's differ in more
    than the past.
    """
    beside = {(system.key, conditions) for system, conditions in controls.values()}
    found = dict.fromkeys(trial.conditions for trial in trials if (trial.system.key, trial.conditions) not in beside)
    if len(found) != 1:
        raise UsageError(f"a report needs trials under one set of conditions, got {len(found)}; report each set by itself")
    (rows,) = found
    for label, (_, conditions) in controls.items():
        if conditions.model_copy(update={"past": rows.past}) != rows:
            raise UsageError(f"control {label!r} has other conditions than the rows; it may differ in 'past' alone")
    return rows


def single_frame(table: Table, systems: Mapping[str, System], found: Mapping[str, Found]) -> str:
    """The label of the row whose network reads one frame with nothing in its slots but a backbone; empty where no row does.

    Only variants of one system have one: whole systems differ in more than their frames.
    """
    for label, system in systems.items():
        bare = all(choice.use == "none" for slot, choice in system.slots if slot != "backbone")
        if table.base and bare and found[label].records and not any(record.still for record in found[label].records):
            return label
    return ""


def controls_of(
    table: Table, controls: Controls, trials: Sequence[Trial], records: Mapping[str, Record], single: Mapping[int, float]
) -> tuple[ControlSummary, ...]:
    """A summary of each control; `single` is the mIoU by seed of the row that reads one frame."""
    return tuple(_control(table, label, *controls[label], trials, records, single) for label in controls)


def _control(
    table: Table,
    label: str,
    system: System,
    conditions: Conditions,
    trials: Sequence[Trial],
    records: Mapping[str, Record],
    single: Mapping[int, float],
) -> ControlSummary:
    spec, found = dict(table.controls)[label], find(system, conditions, trials, records)
    values = list(found.scores.values())
    return ControlSummary(
        label=label,
        system=system,
        note=spec.note,
        runs=found.runs,
        interval=mean_interval(values) if values else None,
        params=found.records[0].params if found.records else None,
        measures=measures_of(found.records, found.records),  # never compared with the reference row
        parts=parts_of(found.records),
        role=spec.role,
        past_frames=conditions.past,
        gain=paired_difference(found.scores, single),
    )
