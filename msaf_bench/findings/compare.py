"""Two runs of one table, row by row."""

from dataclasses import dataclass
from typing import Literal

from msaf_bench.errors import UsageError
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.stats import Decision, Difference, judge, paired_difference

State = Literal["same", "better", "worse", "undecided", "new failure", "fixed", "not comparable"]

_STATES: dict[Decision, State] = {
    "above": "better",
    "below": "worse",
    "same": "undecided",
    "undecided": "undecided",
}


@dataclass(frozen=True)
class Change:
    """What became of a row: new minus old, paired by seed."""

    label: str
    state: State
    difference: Difference | None = None
    reason: str = ""


def compare(old: Summary, new: Summary) -> list[Change]:
    """A change for each row that either run has, with simultaneous intervals over all rows.

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
    rows = {row.label: row for row in new.rows}
    earlier = {row.label: row for row in old.rows}
    family = max(1, len([label for label in rows.keys() & earlier.keys() if rows[label].system]))
    return [
        _change(label, earlier.get(label), rows.get(label), family)
        for label in dict.fromkeys((*earlier, *rows))
    ]


def _change(label: str, old: RowSummary | None, new: RowSummary | None, family: int) -> Change:
    if old is None or new is None:
        return Change(label, "not comparable", reason="only in one run")
    before, after = (row.system.key if row.system else None for row in (old, new))
    if before != after:
        return Change(label, "not comparable", reason="the row is another system now")
    if not old.measured or not new.measured:
        return Change(label, _failure(old, new), reason=new.state)
    faults = [f"{which}: {row.ill}" for which, row in (("old", old), ("new", new)) if row.dead]
    if faults:
        return Change(label, "not comparable", reason="; ".join(faults))
    difference = paired_difference(new.measured, old.measured, family=family)
    if difference is None:
        return Change(label, "not comparable", reason="no seed in common")
    shared = new.measured.keys() & old.measured.keys()
    if all(new.measured[seed] == old.measured[seed] for seed in shared):
        return Change(label, "same", difference)
    return Change(label, _STATES[judge(difference.interval)], difference)


def _failure(old: RowSummary, new: RowSummary) -> State:
    """What became of a row that one of the runs, or both, did not finish."""
    if old.measured:
        return "new failure"
    return "fixed" if new.measured else "not comparable"
