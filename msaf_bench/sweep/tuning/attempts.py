"""Attempts of a search on disk, and a listener that records them during the search. No torch here.

The driver of the search writes one file per attempt, replaced atomically. A search that is killed
keeps all finished attempts and resumes those in progress.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msaf_bench.analyzers.miou import miou
from msaf_bench.errors import UsageError
from msaf_bench.files import read_kept, write_kept
from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events, Phase
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.tuning.search import Attempt, Search
from msaf_bench.sweep.workspace import Workspace

FILE = "search.json"


def attempts_folder(workspace: Workspace) -> Path:
    """Return the folder of the attempts."""
    return workspace.folder / "attempts"


def keep_search(search: Search, workspace: Workspace, *, resume: bool) -> list[Attempt]:
    """Make this the folder of the search; return its existing attempts in order.

    Raises `UsageError` if the folder holds another search or a run, or attempts without `resume`.
    """
    path = workspace.folder / FILE
    if workspace.holds_plan():
        raise UsageError(f"{workspace.folder} holds a run; choose another folder with --reports")
    found = read_attempts(workspace)
    if path.exists():
        if read_search(workspace) != search:
            raise UsageError(
                f"{workspace.folder} holds another search; choose another folder with --reports"
            )
        if found and not resume:
            raise UsageError(
                f"{workspace.folder} holds {len(found)} attempts of this search; add --resume to"
                " keep them and run the rest"
            )
    write_kept(path, search)
    return found


def read_search(workspace: Workspace) -> Search:
    """Read the search of a folder. Raises `HostError` if the file is damaged."""
    return read_kept(Search, workspace.folder / FILE, "search", "tune in another folder")


def read_attempts(workspace: Workspace) -> list[Attempt]:
    """Read the attempts of a folder, by row and number. Raises `HostError` if a file is damaged."""
    found = [
        read_kept(
            Attempt, path, "attempt", "remove it and --resume", name=lambda kept: kept.trial.id
        )
        for path in sorted(attempts_folder(workspace).glob("[!.]*.json"))
    ]
    return sorted(found, key=lambda attempt: (attempt.row, attempt.number))


class AttemptKeeper:
    """An `Events` that records attempts on disk and forwards all events to another one."""

    def __init__(self, attempts: Iterable[Attempt], workspace: Workspace, events: Events) -> None:
        self.attempts = {attempt.trial.id: attempt for attempt in attempts}
        self._folder, self._events = attempts_folder(workspace), events

    def keep(self, attempt: Attempt) -> None:
        """Write the current state of an attempt."""
        self.attempts[attempt.trial.id] = attempt
        write_kept(self._folder / f"{attempt.trial.id}.json", attempt)

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Forward the event."""
        self._events.begun(plan, done)

    def phase(self, name: Phase, done: int, total: int, now: str = "") -> None:
        """Forward the event."""
        self._events.phase(name, done, total, now)

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Forward the event."""
        self._events.step(trial, step, loss)

    def note(self, text: str) -> None:
        """Forward the event."""
        self._events.note(text)

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Add a point to the attempt's curve."""
        attempt = self.attempts.get(trial.id)
        if attempt is not None and attempt.state == "begun":
            curve = {**dict(attempt.curve), step: miou}
            self.keep(attempt.model_copy(update={"curve": tuple(sorted(curve.items()))}))
        self._events.validated(trial, step, miou)

    def finished(self, record: Record) -> None:
        """Record the end of the attempt."""
        attempt = self.attempts.get(record.trial.id)
        if attempt is not None:
            self.keep(_ended(attempt, record))
        self._events.finished(record)


def _ended(attempt: Attempt, record: Record) -> Attempt:
    """Return the attempt with the outcome in its record.

    Its final mIoU is that of the record, scored on the same clips as the last point of its curve.
    """
    if record.confusion is None:
        return attempt.model_copy(update={"state": "failed", "reason": record.reason})
    steps = record.trial.conditions.steps
    scored = miou(record.confusion.sparse().sum())
    curve = {**dict(record.validation), steps: scored}
    dead = tuple(pulse.part for pulse in record.pulses if not pulse.live)
    found = {"state": "done", "curve": tuple(sorted(curve.items())), "dead": dead}
    return attempt.model_copy(update=found)
