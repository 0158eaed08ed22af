"""`msaf-bench flops`: the cost of a system, or of attention over frames: by formula, by exact
count, by counters, by the clock.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.analyzers.attention.study import attention_cost, parse_grids
from msaf_bench.cli.flops_system_text import system_lines
from msaf_bench.cli.flops_text import attention_lines
from msaf_bench.cli.printing import Overwrite, print_document, written
from msaf_bench.cli.settings import at_most, use_plugins
from msaf_bench.errors import UsageError
from msaf_bench.outputs import check_outputs
from msaf_bench.sizes import parse_size

DEFAULT = Path("reports/flops")

say = partial(typer.echo, err=True)


def flops(
    n: Annotated[
        str | None,
        typer.Option("--n", help="Feature map(s) as HxW, e.g. 97x97 or 64x64,97x97,128x256."),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(help="With --n: channels of the feature map, for the exact count; 256."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="With --n: count with torch, fvcore, ptflops too, and time a forward."
        ),
    ] = False,
    reports: Annotated[
        Path | None,
        typer.Option(help="With --n: folder for CSV and figure; with several sizes reports/flops."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="A system's name, or a .toml file: its whole cost, in place of --n."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="With --system: the frame as HxW, e.g. 1024x2048.")
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            callback=at_most(65_536, "no labels tell so many apart"),
            help="With --system: number of classes; 19.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="With --system: clip (all frames anew; the default) or stream (one step)."
        ),
    ] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin", help="With --system: module with register(registry); may be repeated."
        ),
    ] = None,
    allow_uncounted: Annotated[
        bool,
        typer.Option(
            "--allow-uncounted",
            help="With --system: list operators that have no formula, and go on.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Count the cost of a system (--system), or of attention over three frames (--n): joint against
    decoupled (MSAF, section 3.3).
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
            "flops needs one of --n HxW, for attention alone, and --system NAME --size HxW, for a"
            " whole network"
        )
    for option, value in (of_system if system is None else of_n).items():
        if value is not None and value is not False:
            raise UsageError(
                f"{option} goes with {'--system' if system is None else '--n'} only; leave it out"
            )
    if system is None:
        _print_attention(
            n or "",
            256 if width is None else width,
            reports,
            measure=measure,
            overwrite=overwrite,
            as_json=as_json,
        )
        return
    if size is None:
        raise UsageError("--system needs --size HxW, e.g. --size 512x1024")
    grid = parse_size(size)
    from msaf_bench.analyzers.cost.counted import cost
    from msaf_bench.catalog import read_system

    counted = cost(
        read_system(system),
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
    """Print the cost of attention; write CSV and figure where asked, and for several sizes. Raises
    `UndrawnError` in the end where only the figure is missing.
    """
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
