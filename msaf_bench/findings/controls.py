"""The controls of a table: conditions that differ from the rows' in the past alone, and the row
that they are compared with.
"""

from collections.abc import Mapping, Sequence

from msaf_bench.errors import UsageError
from msaf_bench.findings.measures import measures_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.findings.subjects import ControlSummary
from msaf_bench.findings.trials import Trials
from msaf_bench.spec import Conditions, System, Table, Trial
from msaf_bench.stats import PERCENT, mean_interval, paired_difference

Controls = Mapping[str, tuple[System, Conditions]]  # by label


def row_conditions(trials: Sequence[Trial], controls: Controls) -> Conditions:
    """The conditions that the trials of all rows share. Raises `UsageError` where there are
    several, or where a control's differ in more than the past.
    """
    beside = {(system.key, conditions) for system, conditions in controls.values()}
    shared = dict.fromkeys(
        trial.conditions for trial in trials if (trial.system.key, trial.conditions) not in beside
    )
    if len(shared) != 1:
        raise UsageError(
            f"a report needs trials under one set of conditions, got {len(shared)}; report each set"
            " by itself"
        )
    (rows,) = shared
    for label, (_, conditions) in controls.items():
        if conditions.model_copy(update={"past": rows.past}) != rows:
            raise UsageError(
                f"control {label!r} has other conditions than the rows; it may differ in 'past'"
                " alone"
            )
    return rows


def single_frame(
    table: Table, systems: Mapping[str, System], trials: Mapping[str, Trials], controls: Controls
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
            and trials[label].results
            and not any(result.still is not None for result in trials[label].results)
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
    table: Table, controls: Controls, trials: Mapping[str, Trials], single: str
) -> tuple[ControlSummary, ...]:
    """A summary of each control, compared with `single`; another reading of the paper is compared
    with the reference row. `trials` are those of rows and controls.
    """
    summaries: list[ControlSummary] = []
    for label, (system, conditions) in controls.items():
        spec, own = dict(table.controls)[label], trials[label]
        other = table.reference if spec.role == "reading" else single
        values = list(own.scores.values())
        summaries.append(
            ControlSummary(
                label=label,
                system=system,
                note=spec.note,
                runs=own.outcomes,
                interval=mean_interval(values, within=PERCENT) if values else None,
                params=own.results[0].record.params if own.results else None,
                # never compared with the reference row by images
                measures=measures_of(own.results, own.results),
                parts=parts_of([result.record for result in own.results]),
                role=spec.role,
                past_frames=conditions.past,
                compared="" if other == label else other,
                gain=(
                    paired_difference(own.scores, trials[other].scores)
                    if other not in ("", label)
                    else None
                ),
            )
        )
    return tuple(summaries)
