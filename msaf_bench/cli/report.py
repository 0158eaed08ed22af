"""`msaf-bench report`: the report of a finished run, or the index of many."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import OUTPUT, Json, Pictures, Root
from msaf_bench.errors import UsageError

Run = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="Folder of a run written by `msaf-bench ablate`."),
]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        rich_help_panel=OUTPUT,
        help="Accept records from different data in one table; the report notes it.",
    ),
]


Index = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="FOLDER",
        rich_help_panel=OUTPUT,
        help=(
            "Write FOLDER/index.html instead: a card with the answer of each run below FOLDER, and"
            " the history of tables with several runs. Existing reports are read unchanged."
        ),
    ),
]


def report(
    run: Run = None,
    index: Index = None,
    root: Root = None,
    pictures: Pictures = True,
    allow_mixed: AllowMixed = False,
    as_json: Json = False,
) -> None:
    """Render the report of a run from its records, or an index of runs. Tables (CSV, Markdown,
    LaTeX), figures and the page are written. Nothing is trained or scored.
    """
    if (run is None) == (index is None):
        raise UsageError("give the folder of one run, or --index with a folder of runs")
    if index is not None:
        _index(index, as_json)
    elif run is not None:
        _render(run, root, pictures=pictures, allow_mixed=allow_mixed, as_json=as_json)


def _render(
    run: Path, root: Path | None, *, pictures: bool, allow_mixed: bool, as_json: bool
) -> None:
    from msaf_bench.cli.outcome import print_outcome
    from msaf_bench.cli.settings import read_root
    from msaf_bench.report.outcome import render
    from msaf_bench.sweep.workspace import Workspace

    outcome = render(
        Workspace(_folder(run)), read_root(root), pictures=pictures, allow_mixed=allow_mixed
    )
    print_outcome(outcome, as_json)


def _index(folder: Path, as_json: bool) -> None:
    """Write the index of a folder and print one line on stderr per damaged file."""
    from msaf_bench.cli.printing import print_json
    from msaf_bench.findings.digits import counted
    from msaf_bench.report.index.render import render_index

    index = render_index(_folder(folder))
    for fault in index.faults:
        typer.echo(f"msaf-bench: {fault}", err=True)
    if as_json:
        print_json(asdict(index) | {"path": str(index.path)})
        return
    tables = counted(index.histories, "table")
    typer.echo(f"{counted(index.runs, 'run')}, {tables} with a history")
    typer.echo(f"open {index.path.as_uri()}")


def _folder(run: Path) -> Path:
    if not run.is_dir():
        raise UsageError(
            f"{run}: no such folder; give the folder of a run written by `msaf-bench ablate`"
        )
    return run.resolve()
