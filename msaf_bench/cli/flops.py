"""`msaf-bench flops`: the cost of a system, or of attention over frames.

The cost is given by formula, by exact count, by counters and by timing.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import (
    MODES,
    Json,
    Overwrite,
    at_most,
    choice,
    choices,
    systems,
)
from msaf_bench.errors import UsageError

DEFAULT = Path("reports/flops")
ATTENTION, SYSTEM = "Attention over three frames", "A whole system"  #: groups of options
SEE = "See `msaf-bench flops --help`."

say = partial(typer.echo, err=True)


def flops(
    n: Annotated[
        list[str] | None,
        typer.Option(
            "--n",
            metavar="HxW[,...]",
            rich_help_panel=ATTENTION,
            help="Size of the feature map, or several sizes; all pixels attend to each other.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            metavar="D",
            rich_help_panel=ATTENTION,
            show_default="256",
            help="Number of channels of the feature map, used by the exact count.",
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            rich_help_panel=ATTENTION,
            help="Also count with torch, fvcore and ptflops, and time a forward pass.",
        ),
    ] = False,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "-o",
            metavar="DIR",
            rich_help_panel=ATTENTION,
            show_default="none for one size, reports/flops for several",
            help="Output folder for the CSV file and the figure.",
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            metavar="SYSTEM",
            autocompletion=systems,
            rich_help_panel=SYSTEM,
            help="System to count as a whole network: a name or a .toml file.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            "-s",
            metavar="HxW",
            rich_help_panel=SYSTEM,
            help="Size of a frame in pixels, height first, e.g. 1024x2048.",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most(65_536, "no label set has more classes"),
            rich_help_panel=SYSTEM,
            show_default="19",
            help="Number of classes that the network predicts.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            "-m",
            metavar=choices(MODES),
            callback=choice("mode", MODES),
            rich_help_panel=SYSTEM,
            show_default="clip",
            help="Inference mode to count: all frames of a clip, or one step of a stream.",
        ),
    ] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            metavar="MODULE[,...]",
            rich_help_panel=SYSTEM,
            help="Python modules that define register(registry) and add components.",
        ),
    ] = None,
    allow_uncounted: Annotated[
        bool,
        typer.Option(
            "--allow-uncounted",
            rich_help_panel=SYSTEM,
            help="List operators without a formula instead of stopping with an error.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Count the cost of a system, or of attention over three frames. --system counts the whole
    network. --n compares joint attention with decoupled attention (MSAF, section 3.3).
    """
    of_n = {"--width": width, "--measure": measure, "--reports": reports}
    of_system = {
        "--size": size,
        "--classes": classes,
        "--mode": mode,
        "--plugin": plugins,
        "--allow-uncounted": allow_uncounted,
    }
    if (n is None) == (system is None):
        raise UsageError(
            "flops needs either --n HxW (attention alone) or --system NAME --size HxW (whole"
            f" network). {SEE}"
        )
    for option, value in (of_system if system is None else of_n).items():
        if value is not None and value is not False:
            raise UsageError(
                f"{option} is valid only with {'--system' if system is None else '--n'}; remove it."
                f" {SEE}"
            )
    if system is None:
        _print_attention(
            ",".join(n or ()),
            256 if width is None else width,
            reports,
            measure=measure,
            overwrite=overwrite,
            as_json=as_json,
        )
        return
    from msaf_bench.catalog import read_system
    from msaf_bench.cli.flops_system_text import system_lines
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.sizes import parse_size

    needed = "--system needs --size HxW, e.g. --size 512x1024"
    try:
        read = read_system(system)
    except UsageError as error:
        raise UsageError(f"{error}; {needed}" if size is None else str(error)) from error
    if size is None:
        raise UsageError(f"{needed}. {SEE}")
    grid = parse_size(size)
    from msaf_bench.analyzers.cost.counted import cost

    counted = cost(
        read,
        grid,
        mode=mode or "clip",
        num_classes=classes or 19,
        plugins=use_plugins(plugins),
        allow_uncounted=allow_uncounted,
        on_note=say,
    )
    print_document(counted.document(), system_lines(counted), as_json=as_json)


def _print_attention(
    n: str, width: int, reports: Path | None, *, measure: bool, overwrite: bool, as_json: bool
) -> None:
    """Print the cost of attention; write CSV and figure if --reports or several sizes are given.

    Raises `UndrawnError` at the end if only the figure could not be drawn.
    """
    from msaf_bench.analyzers.attention.study import attention_cost, parse_grids
    from msaf_bench.cli.flops_text import attention_lines
    from msaf_bench.cli.printing import print_document, written
    from msaf_bench.outputs import check_outputs

    if len(parse_grids(n)) > 1:
        reports = reports or DEFAULT
    if reports:
        check_outputs(
            reports, (f"cost.{kind}" for kind in ("csv", "svg", "png")), overwrite=overwrite
        )
    study = attention_cost(n, width, measure=measure, on_note=say)
    if reports is None:
        print_document(study.document(), attention_lines(study), as_json=as_json)
        return
    from msaf_bench.report.figures.cost import write

    paths, undrawn = written(lambda: write(study.sizes, reports))
    files = [str(path) for path in paths]
    document = study.document() | {"files": files}
    print_document(document, attention_lines(study, files), as_json=as_json)
    if undrawn:
        raise undrawn
