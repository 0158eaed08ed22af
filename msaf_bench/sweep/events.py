"""Progress events of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan

#: phases of work in their order; each may be missing
Phase = Literal["pre-training", "trials", "cost", "speed", "page"]


class Events(Protocol):
    """Receives progress in the process that drives the sweep."""

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Handle the start of a plan's sweep. `done` holds its finished records by trial id."""
        ...

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Handle the progress of a phase. A phase ends when another one begins.

        Args:
            name: Name of the phase.
            done: Number of completed parts.
            total: Number of parts: steps of the pre-training, trials, counted rows or timing
                processes.
            now: Description of the part that begins.
        """
        ...

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Handle the mean loss since the last call, after a trial has done `step` steps."""
        ...

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Handle a trial's validation mIoU in percent, after `step` steps."""
        ...

    def finished(self, record: Record) -> None:
        """Handle a trial whose record has been written."""
        ...

    def note(self, text: str) -> None:
        """Handle a note for the user that does not stop the sweep."""
        ...


class Silent:
    """Receives all events and does nothing."""

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Do nothing."""

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Do nothing."""

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Do nothing."""

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Do nothing."""

    def finished(self, record: Record) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


class Together:
    """Forwards all events to several listeners, one after the other."""

    def __init__(self, listeners: Sequence[Events]) -> None:
        self.listeners = listeners

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Forward the start of a plan's sweep."""
        for each in self.listeners:
            each.begun(plan, done)

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Forward the progress of a phase."""
        for each in self.listeners:
            each.phase(name, done, total, now)

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Forward the loss of a trial."""
        for each in self.listeners:
            each.step(trial, step, loss)

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Forward the validation of a trial."""
        for each in self.listeners:
            each.validated(trial, step, miou)

    def finished(self, record: Record) -> None:
        """Forward the record of a trial."""
        for each in self.listeners:
            each.finished(record)

    def note(self, text: str) -> None:
        """Forward a note for the user."""
        for each in self.listeners:
            each.note(text)
