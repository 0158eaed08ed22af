"""From the folder of a run to its report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from msaf_bench.records import Record, read_records
from msaf_bench.report.backend import UndrawnError
from msaf_bench.report.findings import Summary
from msaf_bench.report.recorded import RecordedPlan, as_recorded, changed_note, recorded_costs
from msaf_bench.report.render import render
from msaf_bench.report.strip import Strip
from msaf_bench.report.summary import summarise
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan, Workspace
from msaf_bench.sweep.speed import read_speeds


def summarise_run(workspace: Workspace, plan: Plan) -> Summary:
    """What the records of a run say."""
    records = read_records(workspace.records)
    return _summarise(workspace, as_recorded(plan, records.values()), records)


def _summarise(workspace: Workspace, plan: RecordedPlan, records: Mapping[str, Record]) -> Summary:
    built = plan.table.built  # rows that are only printed stay in the table
    table = plan.table.model_copy(update={"rows": tuple(r for r in plan.table.rows if r[0] in plan.rows or r[0] not in built)})
    kept = tuple(o for o in table.orderings if o.better in plan.rows and o.worse in plan.rows)
    table = table.model_copy(update={"orderings": kept})
    subjects = plan.subjects()
    summary = summarise(
        table,
        plan.systems(),
        plan.trials(),
        records,
        read_speeds(plan, workspace),
        recorded_costs(plan, workspace),
        {label: subjects[label] for label in plan.controls},
    )
    return replace(summary, notes=(*summary.notes, *changed_note(plan)))


def render_run(workspace: Workspace, plan: Plan, root: Path | None, *, pictures: bool = True) -> tuple[Summary, list[Path]]:
    """Renders the run into its folder. `pictures` adds a strip of frames, which for a data set other than street shows its pictures.
    Figures that cannot be drawn leave the rest, and `undrawn` in the summary.

    `root` is the data set's folder; without one (and for any set but street) there is no strip.
    """
    records = read_records(workspace.records)
    recorded = as_recorded(plan, records.values())
    summary = _summarise(workspace, recorded, records)
    strip = _strip(workspace, recorded, root) if pictures and (root or plan.conditions.data == "street") else None
    try:
        return summary, render(summary, workspace.folder, strip=strip)
    except UndrawnError as error:
        return replace(summary, undrawn=str(error)), error.paths


def _strip(workspace: Workspace, plan: Plan, root: Path | None) -> Strip | None:
    """Sample frames with the first seed's predictions; None where no row has any."""
    from msaf_bench.data import open_split  # only pictures need the data layer
    from msaf_bench.data.label_maps import read_label_maps
    from msaf_bench.data.samples import sample_indices

    systems = plan.systems()
    first = {label: Trial(system=system, conditions=plan.conditions, seed=0) for label, system in systems.items()}
    there = {label: workspace.predictions(trial) for label, trial in first.items() if workspace.predictions(trial).exists()}
    if not there:
        return None
    clips: Any = open_split(plan.conditions, "score", root)
    shown = [clips[i] for i in sample_indices(clips)]
    try:
        predictions = {label: read_label_maps(path, len(shown)) for label, path in there.items()}
    except (OSError, ValueError):
        return None  # a picture that is cut is worth no table
    return Strip(
        frames=[clip.frames[-1] for clip in shown],
        truths=[clip.label for clip in shown],
        predictions=predictions,
        colours=clips.colours,
        class_names=clips.classes,
        names=[clip.name for clip in shown],
    )
