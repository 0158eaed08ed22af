"""Rows as a search found them best beside the same rows as they were: mIoU, verdicts, and what the
search cost and found. mIoU in percent.
"""

from dataclasses import dataclass

from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.wording import Word
from msaf_bench.spec.search import Tuned, TunedRow
from msaf_bench.stats import Difference, expected_best, paired_difference


@dataclass(frozen=True)
class RowTuning:
    """One row, default and tuned."""

    default: RowSummary
    tuned: RowSummary
    found: TunedRow | None  #: None: no attempt of its search was trained to its end
    #: tuned minus default, paired by seed, intervals that hold together for all rows; None where
    #: the row is the same
    gain: Difference | None
    expected: tuple[float, ...]  #: highest of 1, 2, ... drawn attempts, on the tuning part

    @property
    def values(self) -> str:
        """What was found, in words."""
        if self.found is None:
            return "not tuned"
        return self.found.shown or "as it was"


@dataclass(frozen=True)
class VerdictPair:
    """What the default and the tuned rows say of one ordering."""

    better: str
    worse: str
    default: Word
    tuned: Word

    @property
    def changed(self) -> bool:
        """Whether the two differ."""
        return self.default != self.tuned


@dataclass(frozen=True)
class Tuning:
    """A tuned table beside the table without tuning."""

    search: Tuned
    rows: tuple[RowTuning, ...]
    verdicts: tuple[VerdictPair, ...]
    stale: bool  #: the search ran under other conditions than the table

    @property
    def sentence(self) -> str:
        """Whether tuning changes what the run says."""
        changed = [pair for pair in self.verdicts if pair.changed]
        budget = f"Every row is tuned with {self.search.trials} attempts"
        if not self.verdicts:
            return f"{budget}."
        if not changed:
            return f"{budget}: no verdict differs from that on the rows as they were."
        named = "; ".join(
            f"{pair.better} over {pair.worse}: {pair.default} as they were, {pair.tuned} tuned"
            for pair in changed
        )
        return f"{budget}: {len(changed)} of {len(self.verdicts)} verdicts differ ({named})."


def tuning_of(tuned: Summary, default: Summary, search: Tuned, point: str = "") -> Tuning:
    """Return the tuned rows beside the others; `point` names that of a table with an axis."""
    found = search.rows_of(point)
    before = {row.label: row for row in default.rows}
    family = max(1, sum(bool(row.values) for row in found.values()))
    rows = tuple(
        _row(before[row.label], row, found.get(row.label), family)
        for row in tuned.rows
        if row.system is not None
    )
    words: dict[tuple[str, str], Word] = {(v.better, v.worse): v.word for v in default.verdicts}
    verdicts = tuple(
        VerdictPair(v.better, v.worse, words[v.better, v.worse], v.word)
        for v in tuned.verdicts
        if (v.better, v.worse) in words
    )
    return Tuning(search, rows, verdicts, not point and search.conditions != tuned.conditions.key)


def _row(default: RowSummary, tuned: RowSummary, found: TunedRow | None, family: int) -> RowTuning:
    gain = None
    if found and found.values:
        gain = paired_difference(tuned.measured, default.measured, family=family)
    drawn = found.attempts[0 if found.default is None else 1 :] if found else ()
    return RowTuning(default, tuned, found, gain, expected_best(drawn))
