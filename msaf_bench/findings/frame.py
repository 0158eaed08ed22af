"""The measurements of a run as a tidy pandas.DataFrame: one line per row × seed × metric.

| column | content |
|---|---|
| `row` | label of the row or control |
| `kind` | `row` or `control` |
| `seed` | number of the seed |
| `trial` | id of the trial, the name of its record |
| `state` | `done`, `failed` or `missing` |
| `reason` | why it failed; empty otherwise |
| `metric` | `miou`, `iou`, `past`, `tc`, `validation`, `params`, `macs`, `seconds` or `peak` |
| `of` | class of `iou`, preset of `tc`, step of `validation`, mode of `macs`, part of `seconds` |
| `value` | the number; NaN if unknown |
| `unit` | `percent`, `points`, `count`, `s` or `MiB` |

`miou` is the mean of `iou` over the classes present in ground truth or predictions. `past` is the
contribution of past frames: mIoU minus the mIoU with the newest frame repeated. `validation` is the
mIoU after a step on clips held out of training. Every planned trial has at least its `miou` line,
with NaN unless the trial is done.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from msaf_bench.findings.recorded import RecordedPlan
from msaf_bench.findings.subjects import TrialOutcome
from msaf_bench.findings.trials import Result, by_subject
from msaf_bench.records import Record

if TYPE_CHECKING:
    from pandas import DataFrame

NAN = float("nan")


class Measured(NamedTuple):
    """One number of one trial."""

    metric: Literal["miou", "iou", "past", "tc", "validation", "params", "macs", "seconds", "peak"]
    of: str
    value: float
    unit: Literal["percent", "points", "count", "s", "MiB"]


class Line(NamedTuple):
    """One line of the frame; the fields are its columns."""

    row: str
    kind: Literal["row", "control"]
    seed: int
    trial: str
    state: str
    reason: str
    metric: str
    of: str
    value: float
    unit: str


def frame_of(plan: RecordedPlan, results: Mapping[str, Result]) -> "DataFrame":
    """Return the tidy table of a run, in the order of the plan; `results` are by trial id."""
    import pandas as pd

    return pd.DataFrame(_lines(plan, results), columns=list(Line._fields))


def _lines(plan: RecordedPlan, results: Mapping[str, Result]) -> Iterator[Line]:
    trials = {trial.id: trial for trial in plan.trials()}
    for label, own in by_subject(plan.subjects(), trials, results).items():
        kind = "control" if label in plan.controls else "row"
        for outcome in own.outcomes:
            about = (outcome.seed, outcome.trial, outcome.state, outcome.reason)
            for measured in _measured(outcome, results):
                yield Line(label, kind, *about, *measured)


def _measured(outcome: TrialOutcome, results: Mapping[str, Result]) -> Iterator[Measured]:
    """Yield the numbers of a trial; only a NaN mIoU if it has no score."""
    if outcome.miou is None:
        yield Measured("miou", "", NAN, "percent")
        return
    result = results[outcome.trial]
    record = result.record
    yield Measured("miou", "", outcome.miou, "percent")
    for name, iou in zip(_classes(record, len(result.iou)), result.iou, strict=True):
        yield Measured("iou", name, float(iou), "percent")
    if result.past is not None:
        yield Measured("past", "", result.past, "points")
    for consistency in record.consistency:
        value = NAN if consistency.value is None else consistency.value
        yield Measured("tc", consistency.preset, value, "percent")
    for step, miou in record.validation:
        yield Measured("validation", str(step), miou, "percent")
    yield Measured("params", "", record.params, "count")
    if record.cost:
        for mode, macs in (("clip", record.cost.clip), ("stream", record.cost.stream)):
            yield Measured("macs", mode, sum(of_part for _, of_part in macs), "count")
    for part, seconds in record.seconds:
        yield Measured("seconds", part, seconds, "s")
    yield Measured("peak", "", record.peak_mib, "MiB")


def _classes(record: Record, count: int) -> tuple[str, ...]:
    return record.class_names or tuple(f"class {i}" for i in range(count))
