"""From the folder of a run to its report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.stack import read_stack
from msaf_bench.errors import DataError
from msaf_bench.findings.recorded import as_recorded
from msaf_bench.findings.run import summarise_results
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.trials import read_results
from msaf_bench.report.backend import UndrawnError
from msaf_bench.report.render import render
from msaf_bench.report.strip import Strip
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Workspace


def render_run(
    workspace: Workspace,
    plan: Plan,
    root: Path | None,
    *,
    pictures: bool = True,
    allow_mixed: bool = False,
) -> tuple[Summary, list[Path]]:
    """Renders the run into its folder. `pictures` adds a strip of frames, which for a data set
    other than street shows its pictures. Figures that cannot be drawn leave the rest, and `undrawn`
    in the summary.

    `root` is the data set's folder; without one (and for any set but street) there is no strip.
    """
    results = read_results(workspace.records)
    recorded = as_recorded(plan, (result.record for result in results.values()))
    summary = summarise_results(workspace, recorded, results, allow_mixed=allow_mixed)
    strip = None
    if pictures and (root or plan.conditions.data == "street"):
        strip, unshown = _strip(workspace, recorded, root)
        summary = replace(summary, notes=(*summary.notes, *unshown))
    try:
        return summary, render(summary, workspace.folder, strip=strip)
    except UndrawnError as error:
        return replace(summary, undrawn=str(error)), error.paths


def _strip(
    workspace: Workspace, plan: Plan, root: Path | None
) -> tuple[Strip | None, tuple[str, ...]]:
    """Sample frames with the first seed's predictions, None where no row has any; and a note for
    each damaged picture.
    """
    from msaf_bench.data import open_split  # only pictures need the data layer
    from msaf_bench.data.clips import sample_indices

    systems = plan.systems()
    first = {
        label: Trial(system=system, conditions=plan.conditions, seed=0)
        for label, system in systems.items()
    }
    there = {
        label: workspace.predictions(trial)
        for label, trial in first.items()
        if workspace.predictions(trial).exists()
    }
    if not there:
        return None, ()
    clips: Any = open_split(plan.conditions, "score", root)
    shown = [clips[i] for i in sample_indices(clips)]
    predictions: dict[str, Any] = {}
    notes: list[str] = []
    for label, path in there.items():
        try:
            predictions[label] = _maps(path, [clip.label for clip in shown], len(clips.classes))
        except DataError as error:  # a picture that is cut is worth no table
            again = (
                f"move it and records/{path.stem}.json away and call `ablate --resume` to make it"
                " again"
            )
            notes.append(f"The predictions of {label} are not shown: {error}; {again}.")
    strip = Strip(
        frames=[clip.frames[-1] for clip in shown],
        truths=[clip.label for clip in shown],
        predictions=predictions,
        colours=clips.colours,
        class_names=clips.classes,
        names=[clip.name for clip in shown],
    )
    return (strip if predictions else None), tuple(notes)


def _maps(path: Path, truths: Sequence[NDArray[np.uint8]], classes: int) -> list[NDArray[np.uint8]]:
    """The predictions of some frames. Raises `DataError` where they are not these frames'."""
    maps = read_stack(path, len(truths))
    if any(
        one.shape != truth.shape or one.max() >= classes
        for one, truth in zip(maps, truths, strict=True)
    ):
        raise DataError(f"{path}: not the label maps of these frames")
    return maps
