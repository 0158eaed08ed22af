"""`msaf-bench report` and `compare`: what finished runs say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from msaf_bench.cli.options import OUTPUT, Json, Pictures, Root
from msaf_bench.errors import GateError, UsageError

if TYPE_CHECKING:
    from msaf_bench.findings.compare import Change

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, as `msaf-bench ablate` wrote it.")
]
Old = Annotated[Path, typer.Argument(metavar="OLD", help="Folder of the earlier run.")]
New = Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the later run.")]

AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        rich_help_panel=OUTPUT,
        help="Let records that read different data share the table; a note says so.",
    ),
]


def report(
    run: Run,
    root: Root = None,
    pictures: Pictures = True,
    allow_mixed: AllowMixed = False,
    as_json: Json = False,
) -> None:
    """Render a run again from its records. Tables (CSV, Markdown, LaTeX), figures and the page are
    written; nothing is trained or scored.
    """
    from msaf_bench.cli.outcome import print_outcome
    from msaf_bench.cli.settings import read_root
    from msaf_bench.report.outcome import render
    from msaf_bench.sweep.workspace import Workspace

    outcome = render(
        Workspace(_folder(run)), read_root(root), pictures=pictures, allow_mixed=allow_mixed
    )
    print_outcome(outcome, as_json)


def compare(old: Old, new: New, as_json: Json = False) -> None:
    """Compare two runs of one table, paired by seed. The exit code is 4 if a row got worse or fails
    now.
    """
    from msaf_bench.cli.printing import print_json
    from msaf_bench.findings.compare import compare as compare_runs
    from msaf_bench.findings.run import summarise_run
    from msaf_bench.sweep.workspace import Workspace

    before, after = (Workspace(_folder(run)) for run in (old, new))
    for workspace in (before, after):
        if workspace.plan().table.axis:
            raise UsageError(
                f"{workspace.folder} holds a table over an axis; compare two of its points, the"
                " folders below points/"
            )
    changes = compare_runs(summarise_run(before, before.plan()), summarise_run(after, after.plan()))
    if as_json:
        print_json([_document(change) for change in changes])
    else:
        for change in changes:
            points = change.reason
            if change.difference:
                points = f"{change.difference.interval.mean:+.2f} points"
            typer.echo(f"{change.label:<30}{change.state:<16}{points}")
    worse = [c.label for c in changes if c.state in ("worse", "new failure")]
    if worse:
        raise GateError(f"worse than before: {', '.join(worse)}")


def _document(change: "Change") -> dict[str, object]:
    interval = change.difference.interval if change.difference else None
    return {
        "row": change.label,
        "state": change.state,
        "points": interval.mean if interval else None,
        "interval": [interval.low, interval.high] if interval else None,
        "reason": change.reason,
    }


def _folder(run: Path) -> Path:
    if not run.is_dir():
        raise UsageError(
            f"{run}: no such folder, so no run; give a folder that `msaf-bench ablate` wrote"
        )
    return run.resolve()
