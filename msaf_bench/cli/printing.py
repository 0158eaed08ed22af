"""Printing of results on stdout."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from msaf_bench.documents import json_text

if TYPE_CHECKING:
    from msaf_bench.report.backend import UndrawnError


def print_json(document: Mapping[str, object] | Sequence[object]) -> None:
    """Print a document as JSON."""
    typer.echo(json_text(document), nl=False)


def print_document(document: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document as JSON, or its lines of text."""
    if as_json:
        print_json(document)
    else:
        typer.echo("\n".join(lines))


def written(write: "Callable[[], list[Path]]") -> "tuple[list[Path], UndrawnError | None]":
    """Return the paths written by `write` and the error of a figure that could not be drawn.

    The error is returned, not raised, so that the measurements can be printed first.
    """
    from msaf_bench.report.backend import UndrawnError

    try:
        return write(), None
    except UndrawnError as error:
        return error.paths, error
