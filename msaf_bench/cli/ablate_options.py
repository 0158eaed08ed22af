"""Options that `msaf-bench ablate` alone has."""

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
    tables,
)

EXECUTORS = ("local", "ray")


def at_most_seeds(value: int) -> float | None:
    """Check a number of seeds."""
    from msaf_bench.spec import MOST_SEEDS

    return at_most(MOST_SEEDS, "intervals hardly narrow beyond")(value)


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
        help="GPUs of each trial on Ray; a fraction shares one.",
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
