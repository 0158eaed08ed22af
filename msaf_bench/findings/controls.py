"""The controls of a table: conditions that differ from the rows' in the past alone, and the row
that they are compared with.
"""

from collections.abc import Mapping, Sequence

from msaf_bench.errors import UsageError
from msaf_bench.findings.measures import measures_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.findings.subjects import ControlSummary
from msaf_bench.findings.trials import Found, find
from msaf_bench.records import Record
from msaf_bench.spec import Conditions, System, Table, Trial
from msaf_bench.stats import PERCENT, mean_interval, paired_difference

Controls = Mapping[str, tuple[System, Conditions]]  # by label


def row_conditions(trials: Sequence[Trial], controls: Controls) -> Conditions:
    """The conditions that the trials of all rows share. Raises `UsageError` where there are
    several, or where a control's differ in more than the past.
    """
    beside = {(system.key, conditions) for system, conditions in controls.values()}
    found = dict.fromkeys(
        trial.conditions for trial in trials if (trial.system.key, trial.conditions) not in beside
    )
    if len(found) != 1:
        raise UsageError(
            f"a report needs trials under one set of conditions, got {len(found)}; report each set"
            " by itself"
        )
    (rows,) = found
    for label, (_, conditions) in controls.items():
        if conditions.model_copy(update={"past": rows.past}) != rows:
            raise UsageError(
                f"control {label!r} has other conditions than the rows; it may differ in 'past'"
                " alone"
            )
    return rows


def single_frame(
    table: Table, systems: Mapping[str, System], found: Mapping[str, Found], controls: Controls
) -> str:
    """The label of the row whose network reads one frame with nothing in its slots but a backbone,
    else of the control in that role.

    Empty where there is neither. Only variants of one system have such a row: whole systems differ
    in more than their frames.
    """
    for label, system in systems.items():
        bare = all(choice.use == "none" for slot, choice in system.slots if slot != "backbone")
        if (
            table.base
            and bare
            and found[label].records
            and not any(record.still for record in found[label].records)
        ):
            return label
    return next(
        (
            label
            for label, control in table.controls
            if control.role == "single" and label in controls
        ),
        "",
    )


def controls_of(
    table: Table,
    controls: Controls,
    trials: Sequence[Trial],
    records: Mapping[str, Record],
    rows: Mapping[str, Found],
    single: str,
) -> tuple[ControlSummary, ...]:
    """A summary of each control, compared with `single`; another reading of the paper is compared
    with the reference row.
    """
    found = {label: find(*of, trials, records) for label, of in controls.items()}
    everyone = {**rows, **found}
    summaries: list[ControlSummary] = []
    for label, (system, conditions) in controls.items():
        spec, own = dict(table.controls)[label], found[label]
        other = table.reference if spec.role == "reading" else single
        values = list(own.scores.values())
        summaries.append(
            ControlSummary(
                label=label,
                system=system,
                note=spec.note,
                runs=own.runs,
                interval=mean_interval(values, within=PERCENT) if values else None,
                params=own.records[0].params if own.records else None,
                # never compared with the reference row by images
                measures=measures_of(own.records, own.records),
                parts=parts_of(own.records),
                role=spec.role,
                past_frames=conditions.past,
                compared="" if other == label else other,
                gain=(
                    paired_difference(own.scores, everyone[other].scores)
                    if other not in ("", label)
                    else None
                ),
            )
        )
    return tuple(summaries)
