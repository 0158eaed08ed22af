"""Report of a table with an axis on disk: CSV, JSON, one HTML page and figures."""

from dataclasses import replace
from pathlib import Path

from msaf_bench.documents import json_text
from msaf_bench.files import write_atomic
from msaf_bench.findings.study import Study, summarise_study
from msaf_bench.inputs import file_name
from msaf_bench.report.backend import drawn_or_why
from msaf_bench.report.figures.canvas import drawn, figure_files
from msaf_bench.report.figures.curves import study_charts
from msaf_bench.report.page.study import study_html
from msaf_bench.report.tables.curves import study_csv, study_document
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Workspace


def render_study(workspace: Workspace, plan: Plan) -> tuple[Study, list[Path]]:
    """Write the curves to the folder of the study; return the study and the written paths.

    Files: CSV, JSON, one HTML page, and one figure per axis as SVG and PNG.
    """
    study = summarise_study(workspace, plan)
    name = file_name(plan.table.name)
    figures, undrawn = drawn_or_why(lambda: drawn(study_charts(study)), [])
    if undrawn:
        notes = (*study.notes, f"There are no figures: {undrawn}.")
        study = replace(study, undrawn=undrawn, notes=notes)
    files: dict[str, str | bytes] = {
        f"{name}.csv": study_csv(study),
        f"{name}.json": json_text(study_document(study)),
        f"{name}.html": study_html(study, figures),
        **figure_files(name, figures),
    }
    for path, content in files.items():
        write_atomic(workspace.folder / path, content)
    return study, [workspace.folder / path for path in files]
