"""Outcome of a run, printed by `ablate` and `report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from msaf_bench.cli.printing import print_json
from msaf_bench.errors import HostError

if TYPE_CHECKING:
    from msaf_bench.findings.study import Study
    from msaf_bench.report.outcome import Outcome
    from msaf_bench.report.view import View


def print_outcome(outcome: "Outcome", as_json: bool) -> None:
    """Print the answer of a run and the places of its files.

    Raises `HostError` if figures could not be drawn.
    """
    from msaf_bench.findings.study import Study

    result = outcome.result
    if isinstance(result, Study):
        _print_study(result, outcome.paths, as_json)
    else:
        _print_view(result, outcome.paths, as_json)
    if result.undrawn:
        raise HostError(
            f"the tables are written, but {result.undrawn}; run `msaf-bench report` to draw the"
            " figures from the records"
        )


def _print_study(study: "Study", paths: list[Path], as_json: bool) -> None:
    from msaf_bench.report.tables.curves import sentences, study_document

    if as_json:
        print_json(study_document(study) | {"files": [str(path) for path in paths]})
        return
    for sentence in sentences(study):
        typer.echo(sentence)
    _print_place(paths)


def _print_view(view: "View", paths: list[Path], as_json: bool) -> None:
    from msaf_bench.report.console import print_summary
    from msaf_bench.report.document import to_json

    if as_json:
        print_json(to_json(view) | {"files": [str(path) for path in paths]})
        return
    print_summary(view)
    _print_place(paths)


def _print_place(paths: list[Path]) -> None:
    """Print the address of the page and the folder of all files."""
    page = next(path for path in paths if path.suffix == ".html")
    kinds = dict.fromkeys(path.suffix.removeprefix(".") for path in paths if path != page)
    typer.echo(f"open {page.as_uri()}")
    typer.echo(f"{', '.join(kinds)} in {page.parent}")
