"""`msaf-bench pack`: keep a run small enough to commit."""

from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import Json
from msaf_bench.errors import UsageError


def pack(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder of a run written by `msaf-bench ablate`."),
    ],
    as_json: Json = False,
) -> None:
    """Move the records of a finished run into one small archive, to commit it.

    The archive, packed.tar.xz, also holds costs and speeds; it has about a tenth of the size. Every
    command reads a packed run like any other, and its report stays the same. Confusion matrices per
    image are kept for the predictions only: those with the newest frame repeated are summed, those
    of temporal consistency are dropped. Copy the folder first to keep them.
    """
    from msaf_bench.cli.printing import print_json
    from msaf_bench.sweep.packing import pack as pack_run

    if not run.is_dir():
        raise UsageError(f"{run}: no such folder")
    packed = pack_run(run)
    if as_json:
        print_json([{**each._asdict(), "folder": str(each.folder)} for each in packed])
        return
    for each in packed:
        typer.echo(
            f"{each.folder}: {each.documents} documents,"
            f" {each.before / 1e6:.1f} MB -> {each.after / 1e6:.2f} MB"
        )
