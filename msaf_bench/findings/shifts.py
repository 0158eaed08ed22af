"""Every metric of every row in two runs of one table: mIoU, TC, MACs, parameters, latency, FPS."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.compare import Change
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.spec import MODES
from msaf_bench.stats import Interval, judge, paired_difference

#: kind (TC preset or mode; empty if there is only one) -> seed -> value
Readings = Mapping[str, Mapping[int, float]]
NOTHING: Readings = {}
ONCE = 0  #: stands for the seed of a metric that does not depend on one

LOST = "measured in the old run only"
NEW = "measured in the new run only"
NEVER = "measured in neither run"


@dataclass(frozen=True)
class Shift:
    """One metric of one row in both runs."""

    label: str
    metric: str  #: of `METRICS`
    kind: str  #: preset of a TC, mode of MACs and speed; else empty
    before: float | None = None  #: mean over the seeds of both runs
    after: float | None = None
    interval: Interval | None = None  #: of the change, simultaneous over all rows
    clear: bool = False  #: whether the change is beyond its interval; exact counts: any change
    reason: str = ""  #: why the two are not compared

    @property
    def name(self) -> str:
        """The metric with its kind."""
        return f"{self.metric} {self.kind}".strip()

    @property
    def change(self) -> float | None:
        """New minus old, in the unit of the metric; None if the two are not compared."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """The change in percent of the old value; None without an old value above zero."""
        return 100 * self.change / self.before if self.change is not None and self.before else None

    @property
    def lost(self) -> bool:
        """Whether the old run has the metric and the new one failed to measure it."""
        return self.reason == LOST


def shifts(old: Summary, new: Summary, changes: Sequence[Change]) -> list[Shift]:
    """Return every metric that either run has of a row; `changes` are those of the same runs.

    Values are compared by the label of the row, also if its system has changed. Rows of one run
    only, or with other conditions of their own, are not compared, nor are times of two machines.
    """
    before, after = ({row.label: row for row in run.rows} for run in (old, new))
    known = {change.label: change for change in changes}
    family = max(1, sum(1 for label in before.keys() & after.keys() if after[label].system))
    refused = {label: change.reason for label, change in known.items() if change.incomparable}
    return [
        shift
        for label in known
        for metric in METRICS
        for shift in _shifts(
            metric, label, before.get(label), after.get(label), family, refused.get(label, "")
        )
    ]


def _shifts(
    metric: str,
    label: str,
    old: RowSummary | None,
    new: RowSummary | None,
    family: int,
    refused: str,
) -> list[Shift]:
    """Return a shift for each kind of the metric that either run has."""
    before, after = (METRICS[metric](row) if row else NOTHING for row in (old, new))
    if not any(row and row.system for row in (old, new)):
        return []  # only printed
    found: list[Shift] = []
    for kind in dict.fromkeys((*before, *after)) or ("",):
        was, now = before.get(kind, {}), after.get(kind, {})
        reason = refused or _timed_otherwise(metric, kind, old, new)
        if not reason and not (was and now):
            reason = LOST if was else NEW if now else NEVER
        difference = None if reason else paired_difference(now, was, family=family)
        if difference is None:
            found.append(Shift(label, metric, kind, reason=reason or "no seed in common"))
            continue
        shared = was.keys() & now.keys()
        found.append(
            Shift(
                label,
                metric,
                kind,
                fmean(was[seed] for seed in shared),
                fmean(now[seed] for seed in shared),
                difference.interval,
                _clear(metric, kind, old, new, difference.interval),
            )
        )
    return found


def _clear(
    metric: str, kind: str, old: RowSummary | None, new: RowSummary | None, change: Interval
) -> bool:
    if metric in ("macs", "params"):
        return change.mean != 0
    if metric in ("latency", "fps"):
        return _apart(_speed(old, kind), _speed(new, kind))
    return judge(change) in ("above", "below")


def _apart(old: Speed | None, new: Speed | None) -> bool:
    """Return whether the 95 % intervals of two median latencies do not overlap."""
    if not (old and new and old.latency and new.latency):
        return False
    a, b = old.latency.p50, new.latency.p50
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    return b.low > a.high or b.high < a.low


def _timed_otherwise(metric: str, mode: str, old: RowSummary | None, new: RowSummary | None) -> str:
    """Return why two times may not be compared: another machine, or other conditions of timing."""
    was, now = _speed(old, mode), _speed(new, mode)
    if metric not in ("latency", "fps") or was is None or now is None:
        return ""
    if was.host.machine != now.host.machine:
        return f"timed on another machine ({now.host.machine}, was {was.host.machine})"
    return "" if was.conditions == now.conditions else "timed under other conditions"


def _speed(row: RowSummary | None, mode: str) -> Speed | None:
    return row.measures.speed(mode) if row else None


def _miou(row: RowSummary) -> Readings:
    return {"": row.measured} if row.measured else {}


def _tc(row: RowSummary) -> Readings:
    return {each.preset: dict(each.by_seed) for each in row.measures.consistency if each.by_seed}


def _macs(row: RowSummary) -> Readings:
    counted = {mode: row.measures.macs(mode) for mode in MODES}
    return {mode: {ONCE: macs} for mode, macs in counted.items() if macs is not None}


def _params(row: RowSummary) -> Readings:
    return {} if row.params is None else {"": {ONCE: row.params}}


def _latency(row: RowSummary) -> Readings:
    """Return the medians in ms."""
    timed = {mode: speed.latency for mode in MODES if (speed := row.measures.speed(mode))}
    return {
        mode: {ONCE: latency.p50.value}
        for mode, latency in timed.items()
        if latency and latency.p50.value is not None
    }


def _fps(row: RowSummary) -> Readings:
    timed = {mode: speed.fps for mode in MODES if (speed := row.measures.speed(mode))}
    return {mode: {ONCE: fps} for mode, fps in timed.items() if fps is not None}


#: metric -> its readings of a row
METRICS: Mapping[str, Callable[[RowSummary], Readings]] = {
    "miou": _miou,
    "tc": _tc,
    "latency": _latency,
    "fps": _fps,
    "macs": _macs,
    "params": _params,
}
