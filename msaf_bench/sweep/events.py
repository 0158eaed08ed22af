"""What a sweep tells while it runs."""

from typing import Protocol

from msaf_bench.records import Record
from msaf_bench.spec import Trial


class Events(Protocol):
    """Hears of progress, in the process that drives the sweep."""

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """A trial has done so many steps; the mean loss since the last call."""
        ...

    def finished(self, record: Record) -> None:
        """A trial's record is on disk."""
        ...

    def note(self, text: str) -> None:
        """Something that the user should know and that stops nothing."""
        ...


class Silent:
    """Hears of everything and tells nobody."""

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Do nothing."""

    def finished(self, record: Record) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
