"""The trials of one row or control, and what their records hold. Shapes: K classes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import miou
from msaf_bench.findings.subjects import Run
from msaf_bench.records import Record
from msaf_bench.spec import Conditions, System, Trial


class Found(NamedTuple):
    """The runs of a row or control, and the records of those that finished with a score."""

    runs: tuple[Run, ...]
    records: tuple[Record, ...]

    @property
    def scores(self) -> dict[int, float]:
        """Seed -> mIoU."""
        return {run.seed: run.miou for run in self.runs if run.miou is not None}


def find(
    system: System | None,
    conditions: Conditions,
    trials: Sequence[Trial],
    records: Mapping[str, Record],
) -> Found:
    """The trials of this system under these conditions, by seed."""
    if system is None:
        return Found((), ())
    mine = {
        trial.id: trial
        for trial in trials
        if trial.system.key == system.key and trial.conditions == conditions
    }
    runs = [
        _run(trial, records.get(name))
        for name, trial in sorted(mine.items(), key=lambda pair: pair[1].seed)
    ]
    return Found(tuple(runs), tuple(records[run.trial] for run in runs if run.miou is not None))


def _run(trial: Trial, record: Record | None) -> Run:
    if record is None:
        return Run(trial.seed, trial.id, "missing")
    if record.state == "failed":
        return Run(trial.seed, trial.id, "failed", record.reason)
    score = miou(confusion_of(record)) if record.confusion else float("nan")
    if not np.isfinite(score):
        return Run(trial.seed, trial.id, "failed", "it finished without a score")
    return Run(trial.seed, trial.id, "done", miou=score)


def confusion_of(record: Record) -> NDArray[np.int64]:
    """(K, K) counts of the whole split: rows truth, columns prediction."""
    assert record.confusion is not None
    return record.confusion.unpack().sum(0)
