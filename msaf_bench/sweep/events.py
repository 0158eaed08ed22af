"""What a sweep tells while it runs."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan

#: kinds of work, in the order in which they come; each may be missing
Phase = Literal["pre-training", "trials", "cost", "speed", "page"]


class Events(Protocol):
    """Hears of progress, in the process that drives the sweep."""

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """The sweep of a plan begins. `done` are its finished records, by the trial's id."""
        ...

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Say how many parts of a phase are done: steps of the pre-training, trials, rows counted,
        processes that time. A phase ends where another one begins; `now` is the part that begins.
        """
        ...

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """A trial has done so many steps; the mean loss since the last call."""
        ...

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """A trial was validated after so many steps; its mIoU in percent."""
        ...

    def finished(self, record: Record) -> None:
        """A trial's record is on disk."""
        ...

    def note(self, text: str) -> None:
        """Something that the user should know and that stops nothing."""
        ...


class Silent:
    """Hears of everything and tells nobody."""

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
    """Tells several listeners everything, one after the other."""

    def __init__(self, listeners: Sequence[Events]) -> None:
        self.listeners = listeners

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Tell that the sweep of a plan begins."""
        for each in self.listeners:
            each.begun(plan, done)

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Tell how far a phase is."""
        for each in self.listeners:
            each.phase(name, done, total, now)

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Tell that a trial has done so many steps."""
        for each in self.listeners:
            each.step(trial, step, loss)

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Tell that a trial was validated."""
        for each in self.listeners:
            each.validated(trial, step, miou)

    def finished(self, record: Record) -> None:
        """Tell that a trial's record is on disk."""
        for each in self.listeners:
            each.finished(record)

    def note(self, text: str) -> None:
        """Tell what the user should know."""
        for each in self.listeners:
            each.note(text)
