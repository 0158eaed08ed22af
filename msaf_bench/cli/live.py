"""Live view of a running sweep in a terminal: phases, running trials, rows so far."""

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from msaf_bench.cli.status import RowTally, RunStatus, Stage
from msaf_bench.cli.time_text import duration, time_left
from msaf_bench.findings.digits import NONE, number
from msaf_bench.sweep.events import Phase

MOST_TRIALS = 4  #: maximum number of running trials with their own line
WIDE = 100  #: minimum terminal width in columns for long bars


class Clock:
    """Time since `begun`, evaluated whenever it is drawn."""

    def __init__(self, begun: float) -> None:
        self.begun = begun

    def __rich__(self) -> Text:
        return Text(f"{duration(time.monotonic() - self.begun)} so far", style="dim")


def picture(
    console: Console, tally: RunStatus, stage: Stage | None, coming: Sequence[Phase], begun: float
) -> RenderableType:
    """Return the current phase with its trials, the coming phases, and the rows so far.

    Args:
        console: Console whose width and height limit the picture.
        tally: Counts of the trials.
        stage: Current phase; None while systems and data are checked.
        coming: Phases that follow.
        begun: Start of the run in seconds, on the monotonic clock.
    """
    lines = [_stage(console.width, tally, stage, begun)]
    if stage and stage.now:
        lines.append(Text(f"  {stage.now}", style="dim", no_wrap=True, overflow="ellipsis"))
    lines += [Text(name, style="dim") for name in coming]
    room = console.height - len(lines) - MOST_TRIALS - 4
    if len(tally.rows) > 1 and tally.ended and room > 1:
        lines += ["", _rows(tally, room)]
    return Group(*lines)


def _stage(width: int, tally: RunStatus, stage: Stage | None, begun: float) -> RenderableType:
    """Return the current phase as a bar with count, percentage and time, and one per trial."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for justify in ("left", "right", "right", "left"):
        grid.add_column(justify=justify, no_wrap=True)
    long = 24 if width >= WIDE else 12
    if stage is None:
        grid.add_row("checking systems and data", "", "", "", Clock(begun))
    elif stage.name == "trials":
        left = tally.seconds_left()
        clock = time_left(left) or Clock(stage.begun)
        _add(grid, tally.title(stage), tally.ended, tally.total, long, clock)
        for trial in tally.running[:MOST_TRIALS]:
            steps = trial.conditions.steps
            done = round(tally.shares[trial.id] * steps)
            at = tally.reading(trial) if done < steps else "scoring"
            _add(grid, f"  {tally.name(trial)}", done, steps, long, at)
        if len(tally.running) > MOST_TRIALS:
            grid.add_row(f"  and {len(tally.running) - MOST_TRIALS} more", style="dim")
    elif stage.total > 1:
        clock = time_left(stage.seconds_left()) or Clock(stage.begun)
        _add(grid, stage.name, stage.done, stage.total, long, clock)
    else:
        grid.add_row(stage.name, "", "", "", Clock(stage.begun))
    return grid


def _add(grid: Table, name: str, done: int, total: int, width: int, last: RenderableType) -> None:
    bar = ProgressBar(total=total, completed=done, width=width)
    grid.add_row(Text(name), bar, f"{done}/{total}", f"{100 * done // total} %", last)


def _rows(tally: RunStatus, room: int) -> Table:
    """Return the mean mIoU of every row, or of the latest changed rows if there is no room."""
    latest = sorted(tally.rows, key=lambda label: -tally.rows[label].changed)[:room]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Row", no_wrap=True, overflow="ellipsis")
    compared = tally.reference in tally.rows
    heads = ("seeds", "mIoU", *((f"minus {tally.reference}",) if compared else ()))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for label, row in tally.rows.items():
        if label in latest:
            gap = _minus(tally, label, row) if compared else ()
            table.add_row(Text(label), _seeds(row), number(row.mean, 1), *gap)
    return table


def _minus(tally: RunStatus, label: str, row: RowTally) -> tuple[str]:
    if label == tally.reference:
        return (NONE,)
    return (number(row.minus(tally.rows[tally.reference]), 1, signed=True),)


def _seeds(row: RowTally) -> str:
    failed = f", {row.failed} failed" if row.failed else ""
    return f"{len(row.miou)}/{row.total}{failed}"
