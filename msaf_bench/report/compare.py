"""Two runs of one table, row by row."""

from dataclasses import dataclass
from typing import Literal

from msaf_bench.errors import UsageError
from msaf_bench.report.findings import Summary
from msaf_bench.report.subjects import RowSummary
from msaf_bench.stats import Difference, paired_difference

State = Literal["same", "better", "worse", "undecided", "new failure", "fixed", "not comparable"]


@dataclass(frozen=True)
class Change:
    """What became of a row: new minus old, paired by seed."""

    label: str
    state: State
    difference: Difference | None = None
    reason: str = ""


def compare(old: Summary, new: Summary) -> list[Change]:
    """A change for each row that either run has. Raises `UsageError` if the runs were made under different conditions."""
    if old.conditions != new.conditions:
        before, after = old.conditions.model_dump(), new.conditions.model_dump()
        differs = ", ".join(f"{key} {before[key]} and {after[key]}" for key in after if before[key] != after[key])
        raise UsageError(f"the two runs cannot be compared: {differs}")
    if old.data != new.data:
        raise UsageError(
            f"the two runs cannot be compared: they read data of other content ({', '.join(old.data)} and {', '.join(new.data)})"
        )
    rows = {row.label: row for row in new.rows}
    earlier = {row.label: row for row in old.rows}
    return [_change(label, earlier.get(label), rows.get(label)) for label in dict.fromkeys((*earlier, *rows))]


def _change(label: str, old: RowSummary | None, new: RowSummary | None) -> Change:
    if old is None or new is None:
        return Change(label, "not comparable", reason="only in one run")
    if (old.system and old.system.key) != (new.system and new.system.key):
        return Change(label, "not comparable", reason="the row is another system now")
    if not old.measured or not new.measured:
        state: State = "new failure" if old.measured else "fixed" if new.measured else "not comparable"
        return Change(label, state, reason=new.state)
    difference = paired_difference(new.measured, old.measured)
    if difference is None:
        return Change(label, "not comparable", reason="no seed in common")
    low, high = difference.interval.low, difference.interval.high
    if all(new.measured[seed] == old.measured[seed] for seed in new.measured.keys() & old.measured.keys()):
        return Change(label, "same", difference)
    if low is None or high is None or low <= 0 <= high:
        return Change(label, "undecided", difference)
    return Change(label, "better" if low > 0 else "worse", difference)
