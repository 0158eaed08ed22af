"""`msaf-bench report` and `compare`: what finished runs say."""

from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.printing import Json, print_json
from msaf_bench.cli.settings import Root, read_root
from msaf_bench.errors import GateError, UsageError

Run = Annotated[Path, typer.Argument(help="The folder of a run, as `ablate` left it.")]

AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Let records that read different data share the table; a note says so.",
    ),
]


def report(
    run: Run,
    root: Root = None,
    pictures: Annotated[
        bool,
        typer.Option(help="Show frames and labels of the data set; turn off for what you publish."),
    ] = True,
    allow_mixed: AllowMixed = False,
    as_json: Json = False,
) -> None:
    """Render a run again from its records: CSV, Markdown, LaTeX, figures and the page."""
    from msaf_bench.cli.ablate import print_result, print_study
    from msaf_bench.report.render import render_run
    from msaf_bench.report.study import render_study
    from msaf_bench.sweep.plan import Workspace

    workspace = Workspace(_folder(run))
    if workspace.plan().table.axis:
        print_study(*render_study(workspace, workspace.plan()), as_json)
        return
    view, paths = render_run(
        workspace, workspace.plan(), read_root(root), pictures=pictures, allow_mixed=allow_mixed
    )
    print_result(view, paths, as_json)


def compare(old: Run, new: Run, as_json: Json = False) -> None:
    """Compare two runs of one table, paired by seed. Ends with exit code 4 if a row got worse or
    fails now.
    """
    from msaf_bench.findings.compare import compare as compare_runs
    from msaf_bench.findings.runs import summarise_run
    from msaf_bench.sweep.plan import Workspace

    before, after = (Workspace(_folder(run)) for run in (old, new))
    for workspace in (before, after):
        if workspace.plan().table.axis:
            raise UsageError(
                f"{workspace.folder} holds a table over an axis; compare two of its points, the"
                " folders below points/"
            )
    changes = compare_runs(summarise_run(before, before.plan()), summarise_run(after, after.plan()))
    if as_json:
        rows = [
            {
                "row": c.label,
                "state": c.state,
                "points": c.difference and c.difference.interval.mean,
                "interval": (
                    c.difference and [c.difference.interval.low, c.difference.interval.high]
                ),
                "reason": c.reason,
            }
            for c in changes
        ]
        print_json(rows)
    else:
        for change in changes:
            points = (
                f"{change.difference.interval.mean:+.2f} points"
                if change.difference
                else change.reason
            )
            typer.echo(f"{change.label:<30}{change.state:<16}{points}")
    worse = [c.label for c in changes if c.state in ("worse", "new failure")]
    if worse:
        raise GateError(f"worse than before: {', '.join(worse)}")


def _folder(run: Path) -> Path:
    if not run.is_dir():
        raise UsageError(
            f"{run}: no such folder, so no run; give a folder that `msaf-bench ablate` wrote"
        )
    return run.resolve()
