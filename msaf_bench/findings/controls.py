"""Controls of a table, whose conditions differ from those of the rows only in the past frames.

Finds the row that each control is compared with.
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
    """Return the conditions shared by the trials of all rows.

    Raises `UsageError` if the conditions differ, or if a control differs in more than the past.
    """
    beside = {(system.key, conditions) for system, conditions in controls.values()}
    shared = dict.fromkeys(
        trial.conditions for trial in trials if (trial.system.key, trial.conditions) not in beside
    )
    if len(shared) != 1:
        raise UsageError(
            f"a report needs trials under one set of conditions, got {len(shared)}; report each set"
            " separately"
        )
    (rows,) = shared
    for label, (_, conditions) in controls.items():
        if conditions.model_copy(update={"past": rows.past}) != rows:
            raise UsageError(
                f"control {label!r} differs from the rows in more than 'past'; make its other"
                " conditions equal to theirs"
            )
    return rows


def single_frame(
    table: Table, systems: Mapping[str, System], trials: Mapping[str, Trials], controls: Controls
) -> str:
    """Return the label of the single-frame row: one frame, and empty slots except the backbone.

    Without such a row, the control with that role; empty without either. Only tables of variants
    have such a row, since whole systems differ in more than their frames.

    Args:
        table: the table
        systems: by row label
        trials: of rows and controls, by label
        controls: system and conditions by label
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
    """Return a summary of each control, compared with the single-frame row.

    Another reading of the paper is compared with the reference row instead.

    Args:
        table: the table
        controls: system and conditions by label
        trials: of rows and controls, by label
        single: label of the single-frame row or control; or empty
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
                # passed as its own reference, so that no bootstrap compares it by image
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
