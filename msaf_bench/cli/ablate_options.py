"""Options of the commands that run a table: `ablate` and `tune`."""

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
    """Check a number of seeds against its upper limit."""
    from msaf_bench.spec import MOST_SEEDS

    return at_most(MOST_SEEDS, "more seeds hardly narrow the intervals")(value)


def read_starts(values: Iterable[str] | None) -> list[tuple[str, Path]]:
    """Return the name and the file of each --start; an empty name stands for all rows.

    Raises `UsageError` if a value has no file.
    """
    found: list[tuple[str, Path]] = []
    for text in split_list(values):
        name, equals, file = text.partition("=")
        if set(name) & set("./"):  # FILE without a name, whose path contains an equals sign
            name, equals, file = "", "", text
        if not equals:
            name, file = "", text
        if not file.strip():
            raise UsageError(f"--start {text}: write FILE or NAME=FILE, e.g. resnet50=resnet50.pth")
        found.append((name.strip(), Path(file.strip())))
    return found


def table_name(command: str, name: str | None, option: str | None) -> str:
    """Return the table named by the argument or by --table.

    Raises `UsageError` if neither or both are given.
    """
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
        help="Table to run: a name (3, table3, factorial) or a .toml file. Same as --table.",
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
        help=(
            "Table to run: a name (3, table3, factorial) or a .toml file. Same as the argument"
            " TABLE."
        ),
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
        help="Number of seeds per row, counted from 0. Intervals need at least two seeds.",
    ),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROW[,...]",
        rich_help_panel=RUN,
        help=(
            "Rows to run, plus the reference row that all others are compared with. All rows by"
            " default."
        ),
    ),
]
Controls = Annotated[
    bool,
    typer.Option(
        rich_help_panel=RUN,
        help="Train the table's control rows too. They show which effects this run can detect.",
    ),
]
Start = Annotated[
    list[str] | None,
    typer.Option(
        "--start",
        metavar="[NAME=]FILE[,...]",
        rich_help_panel=RUN,
        help=(
            "Starting weights that replace the common pre-training: FILE for the backbone of all"
            " rows, or NAME=FILE for one backbone (resnet50=FILE) or system (msaf-r50=FILE)."
        ),
    ),
]
TunedFile = Annotated[
    Path | None,
    typer.Option(
        "--tuned",
        metavar="FILE",
        rich_help_panel=RUN,
        help=(
            "File tuned.toml written by `msaf-bench tune`: train every row with its best values"
            " and with its default ones."
        ),
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        metavar=choices(EXECUTORS),
        callback=choice("executor", EXECUTORS),
        rich_help_panel=RUN,
        show_default="ray if it is installed",
        help="Executor of the trials: this process (local) or workers of Ray (ray).",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        rich_help_panel=RUN,
        help=(
            "Address of a running Ray cluster to join; --reports must be a folder that all its"
            " nodes can access. By default Ray runs on this machine only."
        ),
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        callback=at_most(4096, "one driver cannot follow more trials"),
        rich_help_panel=RUN,
        show_default="as many as fit",
        help="Maximum number of trials that run at the same time on Ray.",
    ),
]
Gpus = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="N",
        callback=at_most(64, "no node has more GPUs"),
        rich_help_panel=RUN,
        help=(
            "Number of GPUs per trial on Ray: 0 for none, a fraction to share one GPU, a whole"
            " number above 1 for one process per GPU."
        ),
    ),
]
GpuMemory = Annotated[
    float | None,
    typer.Option(
        "--gpu-memory",
        min=0.1,
        metavar="GIB",
        callback=at_most(10_000, "no GPU has more memory"),
        rich_help_panel=RUN,
        show_default="as reported by the driver",
        help=(
            "Memory of one GPU in GiB. Rows whose training step needs more are refused before"
            " training."
        ),
    ),
]
GpuTflops = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        metavar="N",
        callback=at_most(1_000_000, "no GPU computes faster"),
        rich_help_panel=RUN,
        show_default="throughput of one H100 in the same precision",
        help=(
            "Sustained throughput of one GPU in TFLOP/s, for --dry-run if a step cannot be timed"
            " on this machine."
        ),
    ),
]
SpeedProcesses = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        callback=PROCESSES,
        rich_help_panel=SPEED,
        help=(
            "Number of processes that time all rows in both modes (clip, stream) after the trials;"
            " 0 skips the timing."
        ),
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
        help="Output folder of this run: plan, records, tables, figures and page.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=RUN,
        help="Keep finished trials of the output folder; run only missing and failed ones.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=RUN,
        help="Print the plan and run nothing; ablate adds estimates of memory and time.",
    ),
]
Threads = Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=RUN, help=THREADS)]
