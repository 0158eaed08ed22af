"""State of a running sweep by row, and the estimated remaining time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Phase
from msaf_bench.sweep.plan import Plan

FIRST_S = 2  #: seconds of work before the remaining time is estimated
#: parts that the first trial computes for all trials; excluded from the time per trial
SHARED_PARTS = ("features",)


@dataclass
class RowTally:
    """Counts and results of the trials of one row or control."""

    total: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list[float])  #: duration of each finished trial
    miou: dict[int, float] = field(default_factory=dict[int, float])  #: by seed, in percent
    changed: float = 0.0  #: end of the latest trial, on the monotonic clock

    @property
    def mean(self) -> float | None:
        """Mean mIoU of the finished seeds in percent; None without any."""
        return fmean(self.miou.values()) if self.miou else None

    def minus(self, reference: "RowTally") -> float | None:
        """Return the mean difference to another row over the shared seeds; None without any."""
        shared = self.miou.keys() & reference.miou.keys()
        return fmean(self.miou[s] - reference.miou[s] for s in shared) if shared else None


@dataclass
class Stage:
    """The current phase; its clock starts with its first part."""

    name: Phase
    total: int  #: number of parts
    begun: float  #: start, on the monotonic clock
    done: int = 0  #: number of finished parts
    now: str = ""  #: name of the current part
    first: tuple[float, int] | None = None  #: time of the first report, and parts done by then

    def seconds_left(self) -> float | None:
        """Return the seconds until all parts are done at the speed so far; None if unknown."""
        at, before = self.first or (self.begun, 0)
        elapsed, gained = time.monotonic() - at, self.done - before
        if elapsed < FIRST_S or gained <= 0:
            return None
        return elapsed * (self.total - self.done) / gained if self.done < self.total else None


class Work(NamedTuple):
    """First report of any trial, from which the remaining time is measured."""

    at: float  #: time on the monotonic clock
    trial: str  #: id of the trial
    share: float  #: share of its steps done by then, 0 to 1


class RunStatus:
    """Counts of a plan's trials while they run, with an estimate of the remaining time.

    `labels` maps the id of each trial to its row; `done` has the records of an earlier call.
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
        self.shares: dict[str, float] = {}  #: share of steps done, for each trial of this call
        self.losses: dict[str, float] = {}  #: latest loss of each trial of this call
        self.validations: dict[str, float] = {}  #: latest validation mIoU of each validated trial
        self._first: Work | None = None
        self._trained = self._taken = 0.0  # finished trials: seconds of training, and in total
        for record in done.values():
            self._count(record)

    @property
    def ended(self) -> int:
        """Number of ended trials, including those of an earlier call."""
        return self.total - len(self.missing)

    @property
    def running(self) -> list[Trial]:
        """Running trials, the most advanced first."""
        begun = [trial for i, trial in self.missing.items() if i in self.shares]
        return sorted(begun, key=lambda trial: -self.shares[trial.id])

    def title(self, stage: Stage) -> str:
        """Return the name of a phase; a single trial is called "training"."""
        return "training" if stage.name == "trials" and self.total == 1 else stage.name

    def name(self, trial: Trial) -> str:
        """Return the row and seed of a trial."""
        return f"{self.labels[trial.id]}, seed {trial.seed}"

    def seed_of(self, trial: Trial) -> int:
        """Return the number that identifies a trial within its row."""
        return trial.seed

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Record the latest step and loss of a trial."""
        share = step / trial.conditions.steps
        self.shares[trial.id], self.losses[trial.id] = share, loss
        if self._first is None:
            self._first = Work(time.monotonic(), trial.id, share)

    def reading(self, trial: Trial) -> str:
        """Return the latest loss of a running trial and its latest validation mIoU."""
        loss = f"loss {self.losses[trial.id]:.3f}"
        found = self.validations.get(trial.id)
        return loss if found is None else f"{loss} · val mIoU {found:.1f}"

    def finished(self, record: Record) -> float | None:
        """Record the end of a trial; return its mIoU in percent, or None if it failed."""
        self.shares[record.trial.id] = 1.0
        return self._count(record)

    def seconds_left(self) -> float | None:
        """Return the estimated seconds until all trials have ended, at the speed so far.

        A trial is assumed to take as long as the ended trials of its row, or as long as the slowest
        row if no trial of its row has ended. Returns None until trials of two rows, or of all
        remaining rows, have ended.
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
        """Return the seconds for all missing trials, run one after the other.

        Each is assumed to take as long as the finished trials of its row. Returns None if a row has
        no finished trial.
        """
        known, labels = self._seconds(), [self.labels[i] for i in self.missing]
        return sum(known[label] for label in labels) if known.keys() >= set(labels) else None

    def _seconds(self) -> dict[str, float]:
        return {label: fmean(row.seconds) for label, row in self.rows.items() if row.seconds}

    def _count(self, record: Record) -> float | None:
        from msaf_bench.analyzers.miou import miou

        trial = record.trial
        row = self.rows[self.labels[trial.id]]
        if self.missing.pop(trial.id, None) is None:  # reported twice: its worker died afterwards
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
    """Return the tally of a plan, with the records of the trials finished before."""
    return RunStatus(plan.labels(), plan.all_trials(), done, plan.table.reference)
