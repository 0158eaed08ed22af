"""Gates on the change from one run to another: `worse`, or a limit such as `miou<-0.5`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msaf_bench.errors import DataError, UsageError, in_any_case, one_of
from msaf_bench.findings.compare import Change
from msaf_bench.findings.shifts import METRICS, NEVER, Shift

WORSE, NONE = "worse", "none"
EXAMPLES = "'miou<-0.5', 'tc<-1', 'latency>5%', 'fps<-5%', 'macs>0', 'params>0'"
LIMIT = re.compile(r"\s*([a-z_]+)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*(%?)\s*", re.IGNORECASE)

#: how a metric gets into a run
MEASURED_BY = {
    "tc": "train with a flow for temporal consistency, such as --set flow=dis",
    "latency": "run `msaf-bench ablate` with --speed 2",
    "fps": "run `msaf-bench ablate` with --speed 2",
}


@dataclass(frozen=True)
class Gate:
    """A limit on the change of a metric, or `worse`."""

    text: str  #: as it was given
    metric: str  #: of `METRICS`
    above: bool = False  #: whether a change above the limit fails; else below
    limit: float | None = None  #: in points or the metric's unit; None: `worse`
    percent: bool = False  #: whether the limit is in percent of the old value

    def broken_by(self, shift: Shift) -> bool:
        """Return whether the change of a metric fails the gate. A metric that got lost does."""
        change = shift.percent if self.percent else shift.change
        if shift.lost or change is None or self.limit is None:
            return shift.lost
        return change > self.limit if self.above else change < self.limit


@dataclass(frozen=True)
class GateOutcome:
    """A gate with the rows that it was checked on."""

    gate: Gate
    failed: tuple[Shift, ...]
    compared: tuple[Shift, ...]  #: compared rows, including the failed ones
    skipped: tuple[Shift, ...]  #: not compared, with a reason

    @property
    def passed(self) -> bool:
        """Whether no row fails the gate."""
        return not self.failed


def read_gates(texts: Iterable[str]) -> list[Gate]:
    """Read gates as they are written: `worse`, `none`, or a metric, `<` or `>`, and a limit.

    Raises `UsageError` for no text, an unknown metric, another syntax, or `none` beside a gate.
    """
    words = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if not words:
        raise UsageError(f"--fail-on is empty: write {WORSE}, {NONE}, or gates such as {EXAMPLES}")
    if NONE in words and len(words) > 1:
        raise UsageError(f"--fail-on: {NONE!r} stands alone; drop it, or the other gates")
    return [_read(word) for word in words if word != NONE]


def _read(text: str) -> Gate:
    if text == WORSE:
        return Gate(text, "miou")
    found = LIMIT.fullmatch(text)
    if not found:
        raise UsageError(
            f"--fail-on {text!r}: write {WORSE}, {NONE}, or METRIC<LIMIT or METRIC>LIMIT, for"
            f" example {EXAMPLES}; metrics: {', '.join(METRICS)}"
        )
    name, sign, limit, percent = found.groups()
    metric = one_of("metric of --fail-on", in_any_case(name, METRICS), METRICS)
    return Gate(text, metric, sign == ">", float(limit), bool(percent))


def check_gates(
    gates: Iterable[Gate], changes: Sequence[Change], shifts: Sequence[Shift]
) -> list[GateOutcome]:
    """Return the outcome of each gate.

    Raises `DataError` for a gate that no row can fail, because no row of both runs has its metric
    or, for `worse`, an interval.
    """
    return [_worse(gate, changes, shifts) if gate.text == WORSE else _limit(gate, shifts)
            for gate in gates]  # fmt: skip


def _limit(gate: Gate, shifts: Sequence[Shift]) -> GateOutcome:
    own = [shift for shift in shifts if shift.metric == gate.metric]
    known = [s for s in own if (s.percent if gate.percent else s.change) is not None]
    if not known:
        raise DataError(f"gate {gate.text}: no row of both runs has {gate.metric}{_why(gate, own)}")
    compared = [shift for shift in own if shift.lost or shift in known]
    return _outcome(gate, [s for s in compared if gate.broken_by(s)], compared, own)


def _worse(gate: Gate, changes: Sequence[Change], shifts: Sequence[Shift]) -> GateOutcome:
    """Check for rows that are worse beyond their interval, or fail now."""
    own = {shift.label: shift for shift in shifts if shift.metric == gate.metric}
    decided = [change.label for change in changes if change.decided]
    if not decided:
        reasons = dict.fromkeys(change.reason for change in changes if change.reason)
        why = next(iter(reasons), "no row has two seeds in common; run two seeds, or set a limit")
        raise DataError(f"gate {gate.text}: no row has an interval: {why}")
    worse = [change.label for change in changes if change.state in ("worse", "new failure")]
    return _outcome(
        gate, [own[label] for label in worse], [own[label] for label in decided], [*own.values()]
    )


def _outcome(
    gate: Gate, failed: Sequence[Shift], compared: Sequence[Shift], own: Sequence[Shift]
) -> GateOutcome:
    left = [shift for shift in own if shift not in compared]
    return GateOutcome(gate, tuple(failed), tuple(compared), tuple(left))


def _why(gate: Gate, own: Sequence[Shift]) -> str:
    """Return the first reason why a metric was not compared, or how it is measured."""
    reasons = [shift.reason for shift in own if shift.reason and shift.reason != NEVER]
    said = reasons[0] if reasons else MEASURED_BY.get(gate.metric, "")
    return f": {said}" if said else ""
