"""Tuned rows beside the default rows: mIoU, verdicts, cost and result of the search.

mIoU is in percent.
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
    found: TunedRow | None  #: None if no attempt was trained to its end
    #: tuned minus default, paired by seed, simultaneous intervals for all rows; None for an
    #: unchanged row
    gain: Difference | None
    expected: tuple[float, ...]  #: expected best mIoU of 1, 2, ... drawn attempts, tuning part

    @property
    def values(self) -> str:
        """Values found by the search, as text."""
        if self.found is None:
            return "not tuned"
        return self.found.shown or "default values"


@dataclass(frozen=True)
class VerdictPair:
    """Verdicts on one ordering from the default and from the tuned rows."""

    better: str
    worse: str
    default: Word
    tuned: Word

    @property
    def changed(self) -> bool:
        """Whether the two verdicts differ."""
        return self.default != self.tuned


@dataclass(frozen=True)
class Tuning:
    """A tuned table beside its default."""

    search: Tuned
    rows: tuple[RowTuning, ...]
    verdicts: tuple[VerdictPair, ...]
    stale: bool  #: whether the search ran under other conditions than the table

    @property
    def sentence(self) -> str:
        """Sentence on whether tuning changes verdicts."""
        changed = [pair for pair in self.verdicts if pair.changed]
        budget = f"Every row was tuned with {self.search.trials} attempts"
        if not self.verdicts:
            return f"{budget}."
        if not changed:
            return f"{budget}; no verdict differs from the default rows."
        named = "; ".join(
            f"{pair.better} over {pair.worse}: {pair.default} by default, {pair.tuned} tuned"
            for pair in changed
        )
        return f"{budget}; {len(changed)} of {len(self.verdicts)} verdicts change ({named})."


def tuning_of(tuned: Summary, default: Summary, search: Tuned, point: str = "") -> Tuning:
    """Return the tuned rows beside the default rows.

    Args:
        tuned: summary of the tuned rows
        default: summary of the same rows with default values
        search: the search
        point: name of the point, for a table with an axis
    """
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
