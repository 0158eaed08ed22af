"""From the folder of a run to its report: of a table, or of one that is run over an axis."""

from dataclasses import dataclass
from pathlib import Path

from msaf_bench.findings.study import Study
from msaf_bench.report.render import render_run
from msaf_bench.report.study import render_study
from msaf_bench.report.view import View
from msaf_bench.sweep.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """A run that has ended, and its report."""

    result: View | Study  #: a study where the table has an axis
    paths: list[Path]  #: the report's files
    left: tuple[Path, ...] = ()  #: folders of points that another process runs


def render(
    workspace: Workspace, root: Path | None, *, pictures: bool = True, allow_mixed: bool = False
) -> Outcome:
    """Render the report of a run from its records, with the rows and seeds of all calls that made
    it.

    `root` is the data set's folder, for the pictures. Raises `DataError` where records read
    different data, unless that is allowed.
    """
    plan = workspace.plan()
    if plan.table.axis:
        return Outcome(*render_study(workspace, plan))
    shown = root if pictures else None
    return Outcome(*render_run(workspace, plan, shown, pictures=pictures, allow_mixed=allow_mixed))
