"""What a running sweep has done so far, by row, and how long the rest takes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Phase
from msaf_bench.sweep.plan import Plan

FIRST_S = 2  #: seconds of work before the time left is guessed
#: what the first trial does for all of them: it says nothing of the others
SHARED_PARTS = ("features",)


@dataclass
class RowTally:
    """The trials of one row or control."""

    total: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list[float])  #: that each finished trial took
    miou: dict[int, float] = field(default_factory=dict[int, float])  #: by seed, in percent
    changed: float = 0.0  #: when one ended last, on the monotonic clock

    @property
    def mean(self) -> float | None:
        """The mean mIoU of the seeds so far."""
        return fmean(self.miou.values()) if self.miou else None

    def minus(self, reference: "RowTally") -> float | None:
        """Return the mean difference to another row over the seeds that both have."""
        shared = self.miou.keys() & reference.miou.keys()
        return fmean(self.miou[s] - reference.miou[s] for s in shared) if shared else None


@dataclass
class Stage:
    """The phase under way; its clock starts with its first part."""

    name: Phase
    total: int  #: parts
    begun: float  #: when, on the monotonic clock
    done: int = 0
    now: str = ""  #: the part under way
    first: tuple[float, int] | None = None  #: when, and how much was done by then

    def seconds_left(self) -> float | None:
        """Return the time until all parts are done, at the speed so far."""
        at, before = self.first or (self.begun, 0)
        elapsed, gained = time.monotonic() - at, self.done - before
        if elapsed < FIRST_S or gained <= 0:
            return None
        return elapsed * (self.total - self.done) / gained if self.done < self.total else None


class Work(NamedTuple):
    """What was heard first of any trial: the clock of the time left starts there."""

    at: float  #: of the monotonic clock
    trial: str
    share: float  #: of its steps


class RunStatus:
    """Counts the trials of a plan while they run, and foresees when they are done.

    `labels` has the row of each trial by its id, `done` the records of an earlier call.
    """

    def __init__(
        self,
        labels: Mapping[str, str],
        trials: Sequence[Trial],
        done: Mapping[str, Record],
        reference: str = "",
    ) -> None:
        self.labels, self.reference = labels, reference
        self.missing = {trial.id: trial for trial in trials}
        self.total = len(trials)
        self.rows: dict[str, RowTally] = {}
        for trial in trials:
            self.rows.setdefault(labels[trial.id], RowTally()).total += 1
        self.shares: dict[str, float] = {}  #: of the steps, of the trials of this call
        self.losses: dict[str, float] = {}  #: the latest of each of them
        self.validations: dict[str, float] = {}  #: the latest mIoU of each that was validated
        self._first: Work | None = None
        self._trained = self._taken = 0.0  # seconds of training, and in all, of finished trials
        for record in done.values():
            self._count(record)

    @property
    def ended(self) -> int:
        """Number of trials that have ended, in an earlier call too."""
        return self.total - len(self.missing)

    @property
    def running(self) -> list[Trial]:
        """The trials under way, the furthest first."""
        begun = [trial for i, trial in self.missing.items() if i in self.shares]
        return sorted(begun, key=lambda trial: -self.shares[trial.id])

    def title(self, stage: Stage) -> str:
        """Return the name of a phase; a single trial is a training."""
        return "training" if stage.name == "trials" and self.total == 1 else stage.name

    def name(self, trial: Trial) -> str:
        """Return row and seed of a trial."""
        return f"{self.labels[trial.id]}, seed {trial.seed}"

    def seed_of(self, trial: Trial) -> int:
        """Return what tells a trial from the others of its row."""
        return trial.seed

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Note that a trial has done so many steps."""
        share = step / trial.conditions.steps
        self.shares[trial.id], self.losses[trial.id] = share, loss
        if self._first is None:
            self._first = Work(time.monotonic(), trial.id, share)

    def reading(self, trial: Trial) -> str:
        """Return the latest loss of a trial under way, and its latest validation."""
        loss = f"loss {self.losses[trial.id]:.3f}"
        found = self.validations.get(trial.id)
        return loss if found is None else f"{loss} · val mIoU {found:.1f}"

    def finished(self, record: Record) -> float | None:
        """Note that a trial has ended; return its mIoU in percent, None where it failed."""
        self.shares[record.trial.id] = 1.0
        return self._count(record)

    def seconds_left(self) -> float | None:
        """Return the time until all trials have ended, at the speed so far.

        A trial takes as long as those of its row took; where none of its row has ended, as long as
        the slowest row. None before there are grounds for it: trials of two rows, or of all rows
        that are left.
        """
        known = self._seconds()
        rows = {self.labels[i] for i in self.missing}
        if not known and len(rows) == 1:
            known = dict.fromkeys(rows, 1.0)
        if not self._first or not self.missing or (len(known) < 2 and not rows <= known.keys()):
            return None
        slowest = max(known.values())
        training = self._trained / self._taken if self._taken else 1.0

        def seconds(trial: str, share: float = 1.0) -> float:
            return known.get(self.labels[trial], slowest) * share

        steps = {i: training * share for i, share in self.shares.items() if i in self.missing}
        under_way = sum(seconds(trial, share) for trial, share in steps.items())
        done = sum(seconds(trial) for trial in self.shares if trial not in self.missing)
        first = self._first
        gained = done + under_way - seconds(first.trial, training * first.share)
        rest = sum(seconds(trial) for trial in self.missing) - under_way
        elapsed = time.monotonic() - first.at
        return elapsed * rest / gained if elapsed >= FIRST_S and gained > 0 and rest > 0 else None

    def seconds_alone(self) -> float | None:
        """Return how long the missing trials take one after the other, if each takes as long as
        the finished ones of its row; None where a row has no finished trial.
        """
        known, labels = self._seconds(), [self.labels[i] for i in self.missing]
        return sum(known[label] for label in labels) if known.keys() >= set(labels) else None

    def _seconds(self) -> dict[str, float]:
        return {label: fmean(row.seconds) for label, row in self.rows.items() if row.seconds}

    def _count(self, record: Record) -> float | None:
        from msaf_bench.analyzers.miou import miou

        trial = record.trial
        row = self.rows[self.labels[trial.id]]
        if self.missing.pop(trial.id, None) is None:  # told twice, by a worker that died after it
            return row.miou.get(self.seed_of(trial))
        row.changed = time.monotonic()
        if record.confusion is None:
            row.failed += 1
            return None
        parts = {part: s for part, s in record.seconds if part not in SHARED_PARTS}
        row.seconds.append(sum(parts.values()))
        self._trained += parts.get("train", 0.0)
        self._taken += sum(parts.values())
        found = row.miou[self.seed_of(trial)] = miou(record.confusion.sparse().sum())
        return found


def tally_of(plan: Plan, done: Mapping[str, Record]) -> RunStatus:
    """Return the tally of a plan of which these trials were finished before."""
    return RunStatus(plan.labels(), plan.all_trials(), done, plan.table.reference)
