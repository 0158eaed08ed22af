"""Two runs of one table, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msaf_bench.errors import UsageError
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.spec import Options
from msaf_bench.stats import Decision, Difference, judge, paired_difference

State = Literal["same", "better", "worse", "undecided", "new failure", "fixed", "not comparable"]

_STATES: dict[Decision, State] = {
    "above": "better",
    "below": "worse",
    "same": "undecided",
    "undecided": "undecided",
}


@dataclass(frozen=True)
class Compared:
    """The facts of a row that are compared between two runs."""

    system: str | None  #: key of its system; None if the row is only printed
    measured: Mapping[int, float]  #: mIoU by seed
    state: str  #: outcome of its trials
    ill: str = ""  #: why it is not live
    conditions: Options = ()  #: conditions of this row alone


@dataclass(frozen=True)
class Change:
    """Change of a row from the old to the new run, paired by seed."""

    label: str
    state: State
    difference: Difference | None = None
    reason: str = ""
    incomparable: bool = False  #: whether no value of the row may be compared, whatever it is

    @property
    def decided(self) -> bool:
        """Whether the row could have been found worse.

        It has an interval, is a new failure or fixed, or is bit for bit the same.
        """
        bounded = self.difference is not None and self.difference.interval.low is not None
        return bounded or self.state in ("same", "new failure", "fixed")


def compare(old: Summary, new: Summary) -> list[Change]:
    """Return the change of each row of either run, with simultaneous intervals over all rows.

    Raises `UsageError` if the runs were made under different conditions.
    """
    if old.conditions != new.conditions:
        before, after = old.conditions.model_dump(), new.conditions.model_dump()
        differs = ", ".join(
            f"{key} {before[key]} and {after[key]}" for key in after if before[key] != after[key]
        )
        raise UsageError(f"the two runs cannot be compared: {differs}")
    if old.data != new.data:
        raise UsageError(
            "the two runs cannot be compared: they read data of other content"
            f" ({', '.join(old.data)} and {', '.join(new.data)})"
        )
    return changes(*(_rows_of(run) for run in (old, new)))


def changes(old: Mapping[str, Compared], new: Mapping[str, Compared]) -> list[Change]:
    """Return the change of each row of either run, with simultaneous intervals over all rows.

    The runs must have the same conditions and data. Rows are matched by label.
    """
    family = max(1, len([label for label in new.keys() & old.keys() if new[label].system]))
    return [
        _change(label, old.get(label), new.get(label), family)
        for label in dict.fromkeys((*old, *new))
    ]


def _rows_of(run: Summary) -> dict[str, Compared]:
    own = {label: row.conditions for label, row in run.table.rows}
    return {row.label: _compared(row, own[row.label]) for row in run.rows}


def _compared(row: RowSummary, conditions: Options) -> Compared:
    system = row.system.key if row.system else None
    return Compared(system, row.measured, row.state, row.ill, conditions)


def _change(label: str, old: Compared | None, new: Compared | None, family: int) -> Change:
    if old is None or new is None:
        return Change(label, "not comparable", reason="only in one run", incomparable=True)
    if old.system != new.system:
        return Change(label, "not comparable", reason="the row is another system now")
    if old.conditions != new.conditions:
        reason = "the row has other conditions now"
        return Change(label, "not comparable", reason=reason, incomparable=True)
    if not old.measured or not new.measured:
        return Change(label, _failure(old, new), reason=new.state)
    faults = [f"{which}: {row.ill}" for which, row in (("old", old), ("new", new)) if row.ill]
    if faults:
        return Change(label, "not comparable", reason="; ".join(faults))
    difference = paired_difference(new.measured, old.measured, family=family)
    if difference is None:
        return Change(label, "not comparable", reason="no seed in common")
    shared = new.measured.keys() & old.measured.keys()
    if all(new.measured[seed] == old.measured[seed] for seed in shared):
        return Change(label, "same", difference)
    return Change(label, _STATES[judge(difference.interval)], difference)


def _failure(old: Compared, new: Compared) -> State:
    """Return the state of a row that one or both runs did not finish."""
    if old.measured:
        return "new failure"
    return "fixed" if new.measured else "not comparable"
