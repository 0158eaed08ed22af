"""What commands print on stdout, and the options that several of them share for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from msaf_bench.documents import json_text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help=(
            "Replace files in the output folder that msaf-bench did not write. Inputs are never"
            " replaced."
        ),
    ),
]


def print_json(document: Mapping[str, object] | Sequence[object]) -> None:
    """Print a document as JSON, and nothing else."""
    typer.echo(json_text(document), nl=False)


def print_document(document: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document as JSON, or the lines that say the same."""
    if as_json:
        print_json(document)
    else:
        typer.echo("\n".join(lines))
