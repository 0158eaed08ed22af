"""From the folder of a run to its summary."""

from collections.abc import Mapping
from dataclasses import replace

from msaf_bench.findings.recorded import RecordedPlan, as_recorded, changed_note, recorded_costs
from msaf_bench.findings.summarise import summarise
from msaf_bench.findings.summary import Summary
from msaf_bench.records import Record, read_records
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.row_speeds import read_speeds
from msaf_bench.sweep.workspace import Workspace


def summarise_run(workspace: Workspace, plan: Plan, *, allow_mixed: bool = False) -> Summary:
    """Return what the records of a run say. Raises `DataError` where they read different data,
    unless that is allowed.
    """
    records = read_records(workspace.records)
    recorded = as_recorded(plan, records.values())
    return summarise_records(workspace, recorded, records, allow_mixed=allow_mixed)


def summarise_records(
    workspace: Workspace, plan: RecordedPlan, records: Mapping[str, Record], *, allow_mixed: bool
) -> Summary:
    """Return what records say that were read before. Raises as `summarise_run` does."""
    built = plan.table.built  # rows that are only printed stay in the table
    rows = tuple(r for r in plan.table.rows if r[0] in plan.rows or r[0] not in built)
    kept = tuple(o for o in plan.table.orderings if o.better in plan.rows and o.worse in plan.rows)
    subjects = plan.subjects()
    summary = summarise(
        plan.table.model_copy(update={"rows": rows, "orderings": kept}),
        plan.systems(),
        plan.trials(),
        records,
        read_speeds(plan, workspace),
        recorded_costs(plan, workspace),
        {label: subjects[label] for label in plan.controls},
        allow_mixed=allow_mixed,
    )
    return replace(summary, notes=(*summary.notes, *changed_note(plan)))
