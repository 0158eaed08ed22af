"""Report of a run from its folder, for tables with and without an axis."""

from dataclasses import dataclass
from pathlib import Path

from msaf_bench.findings.study import Study
from msaf_bench.report.render import render_run
from msaf_bench.report.study import render_study
from msaf_bench.report.view import View
from msaf_bench.sweep.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """A finished run with its report."""

    result: View | Study  #: a study for a table with an axis
    paths: list[Path]  #: files of the report
    left: tuple[Path, ...] = ()  #: folders of points run by another process


def render(
    workspace: Workspace, root: Path | None, *, pictures: bool = True, allow_mixed: bool = False
) -> Outcome:
    """Render the report of a run from its records, with the rows and seeds of all its calls.

    Args:
        workspace: folder of the run
        root: folder of the data set, for the pictures
        pictures: whether to show frames with predictions
        allow_mixed: whether records of different data may share the table; a note says so

    Raises:
        DataError: if records read different data without `allow_mixed`
    """
    plan = workspace.plan()
    if plan.table.axis:
        return Outcome(*render_study(workspace, plan))
    shown = root if pictures else None
    return Outcome(*render_run(workspace, plan, shown, pictures=pictures, allow_mixed=allow_mixed))
