"""Progress of a sweep on stderr: a live table in a terminal, otherwise one line per event."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.live import Live

from msaf_bench.cli.live import picture
from msaf_bench.cli.status import RunStatus, Stage, tally_of
from msaf_bench.cli.time_text import duration, time_left
from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Phase
from msaf_bench.sweep.plan import Plan

PLAIN_S = 15  #: seconds between two plain lines while no trial or phase ends
DRAWN_S = 0.25  #: seconds between two updates of the live table


def say(console: Console, text: str) -> None:
    """Print a line on stderr; a closed pipe is ignored."""
    if console.is_terminal:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    with suppress(OSError):  # rich would end the program
        typer.echo(text, err=True)


class SweepProgress:
    """Progress display of a sweep; implements `Events` for the driver.

    `phases` are the possible phases in order. The lines of `opening` are printed when all checks
    have passed and the work begins.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        tally: RunStatus | None = None,
        console: Console | None = None,
        opening: Sequence[str] = (),
    ) -> None:
        self.console = console or Console(stderr=True)
        self.tally = tally or RunStatus({}, [], {})
        self.phases, self.opening = phases, opening
        self.failed = 0  #: number of failed trials over all sweeps
        self.trained = False  #: whether any training step was reported
        self.stage: Stage | None = None
        self._begun = self._shown = time.monotonic()
        moving = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live = Live(console=self.console, transient=True) if moving else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._end_stage()
        if self._live:
            self._live.stop()

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Print the opening lines once, then count the trials of this plan."""
        for line in self.opening:
            self.note(line)
        self.opening = ()
        self._end_stage()
        self.tally = tally_of(plan, done)

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Announce a new phase, or update the progress of the current one."""
        if self.stage is None or self.stage.name != name:
            self._end_stage()
            self.stage = Stage(name, total, time.monotonic())
        self.stage.done, self.stage.now = done, now
        if self._live:
            self._draw()
        elif now or not done:
            self._say(self._head(), now, self._left())

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Update the trial's bar, or print an occasional line."""
        self.trained = True
        if trial.id in self.tally.labels:
            self.tally.step(trial, step, loss)
        elif self.stage:
            self.stage.first = self.stage.first or (time.monotonic(), step)
            self.stage.done = step
            self.stage.now = f"loss {loss:.3f}" if step < self.stage.total else "scoring"
        if time.monotonic() - self._shown < (DRAWN_S if self._live else PLAIN_S):
            return
        if self._live:
            self._draw()
        elif trial.id in self.tally.labels:
            steps = trial.conditions.steps
            self._say(
                self._head(),
                self.tally.name(trial),
                f"step {_share(step, steps)}",
                self.tally.reading(trial),
                self._left(),
            )
        else:
            self._say(self._head(), f"loss {loss:.3f}", self._left())

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Store the mIoU of the trial's latest validation, shown from its next step on."""
        self.tally.validations[trial.id] = miou

    def finished(self, record: Record) -> None:
        """Print the end of a trial; in a terminal, only a failure, since the table has the rest."""
        trial, failed = record.trial, record.state == "failed"
        if trial.id not in self.tally.labels:
            if failed:
                self._say("pre-training FAILED", record.reason)
            return
        miou = self.tally.finished(record)
        self.failed += failed
        if miou is None:
            self._say(self._head(), self.tally.name(trial), f"FAILED: {record.reason}")
        elif not self._live:
            taken = sum(seconds for _, seconds in record.seconds)
            self._say(
                self._head(),
                self.tally.name(trial),
                f"mIoU {miou:.1f}",
                duration(taken),
                self._left(),
            )
        if self._live:
            self._draw()

    def note(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def _end_stage(self) -> None:
        """Print that the current phase is done, with its duration."""
        if self.stage:
            name, taken = (
                self.tally.title(self.stage),
                duration(time.monotonic() - self.stage.begun),
            )
            self._say(f"✓ {name:<12}  {taken}" if self._live else f"{name} done · {taken}")
        self.stage = None

    def _draw(self) -> None:
        if self._live:
            self._shown = time.monotonic()
            coming = self.phases
            if self.stage and self.stage.name in coming:
                coming = coming[coming.index(self.stage.name) + 1 :]
            self._live.update(
                picture(self.console, self.tally, self.stage, coming, self._begun), refresh=True
            )

    def _head(self) -> str:
        """Return the phase with its count and percentage, e.g. "trials 12/65 (18 %)"."""
        stage = self.stage
        if stage is None:
            return ""
        done, total = stage.done, stage.total
        if stage.name == "trials":
            done, total = self.tally.ended, self.tally.total
        name = self.tally.title(stage)
        return f"{name} {_share(done, total)}" if total > 1 else name

    def _left(self) -> str:
        if self.stage is None:
            return ""
        of = self.tally if self.stage.name == "trials" else self.stage
        return time_left(of.seconds_left())

    def _say(self, *parts: str) -> None:
        self._shown = time.monotonic()
        say(self.console, " · ".join(filter(None, parts)))


def _share(done: int, total: int) -> str:
    return f"{done}/{total} ({100 * done // total} %)"


def phases_of(plan: Plan, *, speed: bool) -> list[Phase]:
    """Return the possible phases of a plan's sweep, in order."""
    wanted: dict[Phase, bool] = {
        "pre-training": plan.conditions.pretrain_steps > 0,
        "trials": True,
        "cost": plan.table.cost_size is not None,
        "speed": speed,
        "page": True,
    }
    return [name for name, wished in wanted.items() if wished]
