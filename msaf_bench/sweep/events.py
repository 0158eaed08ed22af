"""What a sweep tells while it runs."""

from collections.abc import Mapping
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
