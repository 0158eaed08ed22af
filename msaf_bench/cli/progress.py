"""Progress of a sweep on stderr: bars in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from msaf_bench.records import Record
from msaf_bench.spec import Trial

PLAIN_S = 15  #: seconds between two plain lines
FIRST_S = 2  #: seconds before the time left is guessed


def say(console: Console, text: str) -> None:
    """Print a line on stderr. Progress that nobody reads, as of a closed pipe, stops nothing."""
    if console.is_terminal:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    with suppress(OSError):  # rich would end the program
        print(text, file=sys.stderr, flush=True)


class SweepProgress:
    """Follows the trials of a sweep; an `Events` for the executors. `failed` counts trials that
    ended so.
    """

    def __init__(self, labels: dict[str, str], trials: Sequence[Trial], finished: int) -> None:
        self.console = Console(stderr=True)
        self.labels = labels
        self.total = sum(t.conditions.steps for t in trials)
        self.trials, self.before, self.ended, self.failed = len(trials), finished, 0, 0
        self.begun = False  #: whether anything was trained
        self.steps: dict[str, int] = {}
        # the first is moved to when the first trial starts, after any pre-training
        self.begin = self.spoken = time.monotonic()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.bars = Progress(*columns, console=self.console, transient=True)
        self.whole = self.bars.add_task("all steps", total=self.total)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:
            self.bars.stop()

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Move the trial's bar, or print a line now and then."""
        name, self.begun = f"{self._name(trial)}  loss {loss:.3f}", True
        if trial.id in self.labels:
            self.begin = self.begin if self.steps else time.monotonic()
            self.steps[trial.id] = step
        if self.console.is_terminal:
            task = self.tasks.get(trial.id)
            if task is None:
                task = self.tasks[trial.id] = self.bars.add_task(name, total=trial.conditions.steps)
            self.bars.update(
                task, completed=step, description=name, visible=step < trial.conditions.steps
            )
            self.bars.update(self.whole, completed=sum(self.steps.values()))
        elif time.monotonic() - self.spoken > PLAIN_S:
            self._say(f"{name}  step {step}/{trial.conditions.steps}  {self._left()}")

    def finished(self, record: Record) -> None:
        """Print how a trial ended."""
        if record.trial.id not in self.labels:
            self._say(
                f"pre-training {record.state}  {record.reason or f'loss {record.loss[-1][1]:.3f}'}"
            )
            return
        self.ended += 1
        self.steps[record.trial.id] = record.trial.conditions.steps
        done = (
            f"[{self.before + self.ended}/{self.before + self.trials}] {self._name(record.trial)}"
        )
        if record.state == "failed":
            self.failed += 1
            self._say(f"{done}  FAILED: {record.reason}")
        else:
            seconds = sum(s for _, s in record.seconds)
            self._say(f"{done}  loss {record.loss[-1][1]:.3f}  {seconds:.0f} s  {self._left()}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def _say(self, text: str) -> None:
        self.spoken = time.monotonic()
        say(self.console, text)

    def _name(self, trial: Trial) -> str:
        return (
            f"{self.labels[trial.id]}, seed {trial.seed}"
            if trial.id in self.labels
            else "pre-training"
        )

    def _left(self) -> str:
        share = sum(self.steps.values()) / self.total if self.total else 1.0
        if not share or share >= 1 or time.monotonic() - self.begin < FIRST_S:
            return ""
        seconds = (time.monotonic() - self.begin) * (1 - share) / share
        return (
            f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
        )
