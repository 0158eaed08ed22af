"""Records reduced to the needs of findings, and sorted by row or control.

Confusion matrices per image are the largest part of a record. Tables need their sum, and intervals
over images need the areas of each class. A record is reduced when it is read, so a long run needs
little memory. Shapes: N images, K classes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import class_iou, miou
from msaf_bench.findings.subjects import TrialOutcome
from msaf_bench.matrices import SparseMatrices
from msaf_bench.records import Record, each_record
from msaf_bench.spec import Conditions, Spec, System, Trial
from msaf_bench.stats.bootstrap import Areas

Counts = NDArray[np.int64]  #: (K, K): rows truth, columns prediction


@dataclass(frozen=True)
class Result:
    """A trial's record with its matrices reduced."""

    record: Record  #: without matrices
    confusion: Counts | None  #: on the whole scored split
    still: Counts | None  #: with the newest frame repeated in place of its history
    areas: Areas | None  #: on the scored split by image and class

    @cached_property
    def miou(self) -> float:
        """Score: mIoU in percent, NaN if nothing was scored."""
        return float("nan") if self.confusion is None else miou(self.confusion)

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """IoU of each class in percent (K,); empty if nothing was scored.

        NaN marks a class in neither truth nor prediction.
        """
        return np.empty(0) if self.confusion is None else class_iou(self.confusion)

    @cached_property
    def past(self) -> float | None:
        """Contribution of past frames in points; None if it was not measured.

        It is the mIoU minus the mIoU with the newest frame repeated.
        """
        if self.confusion is None or self.still is None:
            return None
        return self.miou - miou(self.still)


def reduced(record: Record) -> Result:
    """Return the record without matrices, and the numbers derived from them."""
    areas = confusion = still = None
    if record.confusion:
        matrices = record.confusion.sparse()
        areas, confusion = _areas(matrices), matrices.sum()
    if record.still:
        still = record.still.sparse().sum()
    consistency = tuple(c.model_copy(update={"matrices": None}) for c in record.consistency)
    bare = {"confusion": None, "still": None, "consistency": consistency}
    return Result(record.model_copy(update=bare), confusion, still, areas)


def results_of(records: Iterable[Record]) -> dict[str, Result]:
    """Return the records by trial id, each reduced when it is read.

    Equal systems, conditions and hosts are stored once.
    """
    kept: dict[str, Spec] = {}
    return {record.trial.id: reduced(_shared(record, kept)) for record in records}


def read_results(folder: Path) -> dict[str, Result]:
    """Read the records of a folder by trial id, one whole record in memory at a time.

    Raises `HostError` for a file that is not a record.
    """
    return results_of(each_record(folder))


class Trials(NamedTuple):
    """Trials of a row or control by seed, and the results of those with a score."""

    outcomes: tuple[TrialOutcome, ...]
    results: tuple[Result, ...]

    @property
    def scores(self) -> dict[int, float]:
        """Scores by seed: mIoU in percent."""
        return {each.seed: each.miou for each in self.outcomes if each.miou is not None}


def by_subject(
    subjects: Mapping[str, tuple[System, Conditions]],
    trials: Mapping[str, Trial],
    results: Mapping[str, Result],
) -> dict[str, Trials]:
    """Return the trials of each row and control by label.

    Args:
        subjects: system and conditions by label
        trials: trial by id
        results: result by id of the trial
    """
    ids: dict[tuple[str, Conditions], list[str]] = {}
    for name, trial in trials.items():
        ids.setdefault((trial.system.key, trial.conditions), []).append(name)
    return {
        label: _sorted(ids.get((system.key, conditions), ()), trials, results)
        for label, (system, conditions) in subjects.items()
    }


def _sorted(
    ids: Iterable[str], trials: Mapping[str, Trial], results: Mapping[str, Result]
) -> Trials:
    outcomes = tuple(
        _outcome(trials[name].seed, name, results.get(name))
        for name in sorted(ids, key=lambda name: trials[name].seed)
    )
    scored = (each.trial for each in outcomes if each.miou is not None)
    return Trials(outcomes, tuple(results[name] for name in scored))


def _outcome(seed: int, trial: str, result: Result | None) -> TrialOutcome:
    if result is None:
        return TrialOutcome(seed, trial, "missing")
    record = result.record
    if record.state == "failed":
        return TrialOutcome(seed, trial, "failed", record.reason, ended=record.ended)
    if not np.isfinite(result.miou):
        why = "it finished without a score"
        return TrialOutcome(seed, trial, "failed", why, ended=record.ended)
    seconds = sum(spent for _, spent in record.seconds)
    return TrialOutcome(seed, trial, "done", miou=result.miou, seconds=seconds, ended=record.ended)


def _shared(record: Record, kept: dict[str, Spec]) -> Record:
    """Return the record, with equal systems, conditions and hosts replaced by those in `kept`."""
    trial, host = record.trial, record.host
    # By text: to a hash 1, 1.0 and True are the same option.
    system, conditions, host = (
        kept.setdefault(spec.canonical(), spec) for spec in (trial.system, trial.conditions, host)
    )
    trial = trial.model_copy(update={"system": system, "conditions": conditions})
    return record.model_copy(update={"trial": trial, "host": host})


def _areas(matrices: SparseMatrices) -> Areas:
    """Return the areas of each image in the smallest sufficient type."""
    hit, union = matrices.areas()
    kind = np.min_scalar_type(int(union.max(initial=0)))
    return Areas(hit.astype(kind), union.astype(kind))
