"""`msaf-bench report`: the report of a finished run, or the index of many."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import OUTPUT, Json, Pictures, Root
from msaf_bench.errors import UsageError

Run = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="Folder of a run, as `msaf-bench ablate` wrote it."),
]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        rich_help_panel=OUTPUT,
        help="Let records that read different data share the table; a note says so.",
    ),
]


Index = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="FOLDER",
        rich_help_panel=OUTPUT,
        help=(
            "Make FOLDER/index.html instead: a card for each run below the folder with its answer,"
            " and the history of tables with several runs. Their reports are read as they are."
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
    """Render a run again from its records, or index many. Tables (CSV, Markdown, LaTeX), figures
    and the page are written; nothing is trained or scored.
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
    """Write the index of a folder; a damaged file is a line on stderr."""
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
            f"{run}: no such folder, so no run; give a folder that `msaf-bench ablate` wrote"
        )
    return run.resolve()
