"""Options of commands that run a table: `ablate` and `tune`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import (
    OUTPUT,
    PROCESSES,
    RUN,
    SPEED,
    THREADS,
    at_most,
    choice,
    choices,
    missing,
    split_list,
    tables,
)
from msaf_bench.errors import UsageError

EXECUTORS = ("local", "ray")


def at_most_seeds(value: int) -> float | None:
    """Check a number of seeds."""
    from msaf_bench.spec import MOST_SEEDS

    return at_most(MOST_SEEDS, "intervals hardly narrow beyond")(value)


def read_starts(values: Iterable[str] | None) -> list[tuple[str, Path]]:
    """Return the name, empty for all rows, and the file of each --start. Raises `UsageError`."""
    found: list[tuple[str, Path]] = []
    for text in split_list(values):
        name, equals, file = text.partition("=")
        if set(name) & set("./"):  # a file alone, whose path has an equals sign
            name, equals, file = "", "", text
        if not equals:
            name, file = "", text
        if not file.strip():
            raise UsageError(f"--start {text}: write FILE or NAME=FILE, e.g. resnet50=resnet50.pth")
        found.append((name.strip(), Path(file.strip())))
    return found


def table_name(command: str, name: str | None, option: str | None) -> str:
    """Return the table that was named, as an argument or an option. Raises `UsageError`."""
    see, named = f"See `msaf-bench {command} --help`.", name or option
    if named is None:
        raise UsageError(f"{command} needs a table: {missing('table')}. {see}")
    if name and option:
        raise UsageError(f"two tables, {name} and --table {option}; name one. {see}")
    return named


TableArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TABLE",
        autocompletion=tables,
        show_default=False,
        help="Table to run, by name (3, factorial) or as a .toml file; --table names it too.",
    ),
]
TableOption = Annotated[
    str | None,
    typer.Option(
        "--table",
        "-t",
        metavar="TABLE",
        autocompletion=tables,
        rich_help_panel=RUN,
        help="Table to run, by name (3, table3, factorial) or as a .toml file.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        "-n",
        metavar="N",
        callback=at_most_seeds,
        rich_help_panel=RUN,
        help="Number of seeds of each row (0, 1, ...). From two on there are intervals.",
    ),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROW[,...]",
        rich_help_panel=RUN,
        help="Run only these rows, and the row that all are compared with.",
    ),
]
Controls = Annotated[
    bool,
    typer.Option(
        rich_help_panel=RUN,
        help="Train the table's control rows too. They show what the run could have seen.",
    ),
]
Start = Annotated[
    list[str] | None,
    typer.Option(
        "--start",
        metavar="[NAME=]FILE[,...]",
        rich_help_panel=RUN,
        help=(
            "File of starting weights, in place of a common pre-training: for the backbone of all"
            " rows, or for a backbone (resnet50=FILE) or system (msaf-r50=FILE) by name."
        ),
    ),
]
TunedFile = Annotated[
    Path | None,
    typer.Option(
        "--tuned",
        metavar="FILE",
        rich_help_panel=RUN,
        help="File of `msaf-bench tune`: train every row as it was found best, and as it is.",
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        metavar=choices(EXECUTORS),
        callback=choice("executor", EXECUTORS),
        rich_help_panel=RUN,
        show_default="ray where it is installed",
        help="Executor of the trials: this process, or Ray's workers.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        rich_help_panel=RUN,
        help="Join this Ray cluster; --reports must be a folder that all its nodes see.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        callback=at_most(4096, "one driver follows no more"),
        rich_help_panel=RUN,
        show_default="as many as fit",
        help="Number of trials at a time on Ray.",
    ),
]
Gpus = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="N",
        callback=at_most(64, "no node has more"),
        rich_help_panel=RUN,
        help="GPUs of each trial on Ray; a fraction shares one, from 2 on each has a process.",
    ),
]
GpuMemory = Annotated[
    float | None,
    typer.Option(
        "--gpu-memory",
        min=0.1,
        metavar="GIB",
        callback=at_most(10_000, "no GPU has more"),
        rich_help_panel=RUN,
        show_default="as the driver here tells",
        help="Memory of a GPU in GiB; rows whose training step needs more are refused at once.",
    ),
]
GpuTflops = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        metavar="N",
        callback=at_most(1_000_000, "no GPU computes faster"),
        rich_help_panel=RUN,
        show_default="as one H100 in that precision",
        help="Sustained TFLOP/s of a GPU, for --dry-run where a step cannot be timed here.",
    ),
]
SpeedProcesses = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        callback=PROCESSES,
        rich_help_panel=SPEED,
        help="Number of processes that time all rows in both modes after the trials; 0 for none.",
    ),
]
Reports = Annotated[
    Path | None,
    typer.Option(
        "--reports",
        "-o",
        metavar="DIR",
        rich_help_panel=OUTPUT,
        show_default="reports/TABLE-DATA-PRESET",
        help="Folder of this run: plan, records, tables, figures and page.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=RUN,
        help="Keep the trials that are finished; run those that are missing or failed.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=RUN,
        help="Print the plan with an estimate of its time, and run nothing.",
    ),
]
Threads = Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=RUN, help=THREADS)]
