"""Report of a run on disk: CSV, JSON, Markdown, LaTeX, one HTML page, figures as SVG and PNG."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msaf_bench.documents import json_text
from msaf_bench.files import write_atomic
from msaf_bench.findings.run import Run
from msaf_bench.inputs import file_name
from msaf_bench.report.backend import UndrawnError, drawn_or_why
from msaf_bench.report.document import to_json
from msaf_bench.report.figures.canvas import FORMATS, Drawn, drawn, figure_files
from msaf_bench.report.figures.strip import Strip, draw
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.pictures import read_strip
from msaf_bench.report.tables.claims import claims_to_csv, claims_to_markdown
from msaf_bench.report.tables.values import (
    to_csv,
    to_per_class_csv,
    to_tuning_csv,
    to_validation_csv,
)
from msaf_bench.report.view import View
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Workspace


def render_run(
    workspace: Workspace,
    plan: Plan,
    root: Path | None,
    *,
    pictures: bool = True,
    allow_mixed: bool = False,
) -> tuple[View, list[Path]]:
    """Render a run into its folder; return its view and the written paths.

    If figures cannot be drawn, all other files are written and `undrawn` is set in the summary.

    Args:
        workspace: folder of the run
        plan: plan of the run
        root: folder of the data set; without it, only street shows frames
        pictures: whether to show frames with predictions; they are images of the data set
        allow_mixed: whether records of different data may share the table; a note says so
    """
    run = Run(workspace.folder, plan)
    summary = run.summary(allow_mixed=allow_mixed)
    strip = None
    if pictures and (root or plan.conditions.data == "street"):
        strip, unshown = read_strip(workspace, run.recorded, root, summary.data)
        summary = replace(summary, notes=(*summary.notes, *unshown))
    view = view_of(summary)
    try:
        return view, render(view, workspace.folder, strip=strip)
    except UndrawnError as error:
        undrawn = replace(view.summary, undrawn=str(error))
        return replace(view, summary=undrawn), error.paths


def render(view: View, folder: Path, *, strip: Strip | None = None) -> list[Path]:
    """Write a report to `folder` and return the written paths.

    Files: `<table>.csv`, `.json`, `.md`, `.tex`, `.html`, `<table>_per_class.csv`,
    `<table>_claims.csv|md` and `figures/<table>_*.svg|png`. Whole systems add
    `<table>_agreement.csv`, validation adds `<table>_validation.csv`, and tuning adds
    `<table>_tuning.csv`. Each file is replaced as a whole, and equal views give equal bytes.

    Raises `HostError` if the folder cannot be written, and `UndrawnError` if only the figures
    failed.
    """
    name = file_name(view.summary.table.name)
    figures, undrawn = drawn_or_why(lambda: _drawn(view, strip), [])
    if undrawn:
        view = view.noted(f"There are no figures: {undrawn}.")
    files = _files(name, view, figures, strip)
    for path, content in files.items():
        write_atomic(folder / path, content)
    _remove_old_figures(name, folder, files)
    paths = [folder / path for path in files]
    if undrawn:
        raise UndrawnError(undrawn, paths)
    return paths


def _drawn(view: View, strip: Strip | None) -> list[Drawn]:
    charts = view.kind.charts(view)
    return drawn([*charts, draw(strip, view)] if strip else charts)


def _files(
    name: str, view: View, figures: list[Drawn], strip: Strip | None
) -> dict[str, str | bytes]:
    """Return the content by path, in the order in which paths are listed."""
    files: dict[str, str | bytes] = {
        f"{name}.csv": to_csv(view),
        f"{name}.json": json_text(to_json(view)),
        f"{name}_per_class.csv": to_per_class_csv(view),
        f"{name}.md": view.kind.markdown(view),
        f"{name}.tex": view.kind.latex(view),
    }
    if view.validation:
        files[f"{name}_validation.csv"] = to_validation_csv(view)
    if view.tuning:
        files[f"{name}_tuning.csv"] = to_tuning_csv(view)
    for ending, content in view.kind.csv_files(view).items():
        files[f"{name}_{ending}.csv"] = content
    files[f"{name}.html"] = to_html(view, figures, strip)
    if view.claims:
        files[f"{name}_claims.csv"] = claims_to_csv(view)
        files[f"{name}_claims.md"] = claims_to_markdown(view)
    return files | figure_files(name, figures)


def _remove_old_figures(name: str, folder: Path, files: Mapping[str, object]) -> None:
    """Delete figures that are no longer drawn, such as pictures after `--no-pictures`."""
    for kind in FORMATS:
        for old in (folder / "figures").glob(f"{name}_*.{kind}"):
            if f"figures/{old.name}" not in files:
                old.unlink()
