"""View: the full content of a report, which tables, figures, page and terminal only render.

Created by `view_of` in `msaf_bench.report.kinds`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rich.console import Console

from msaf_bench.claims.verdicts import ClaimVerdict
from msaf_bench.findings.answers import Answers
from msaf_bench.findings.motion import MotionAnswer
from msaf_bench.findings.power import Power
from msaf_bench.findings.rankings import Ranking
from msaf_bench.findings.subjects import RowSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry
from msaf_bench.findings.tradeoffs import Tradeoff
from msaf_bench.report.figures.canvas import Chart
from msaf_bench.report.provenance import Signature
from msaf_bench.report.tables.columns import Column, Value
from msaf_bench.report.tables.groups import Group
from msaf_bench.report.tables.pulse import PulseTable
from msaf_bench.report.tables.tuning import TuningTable
from msaf_bench.report.tables.validation import ValidationTable


@dataclass(frozen=True)
class Kind:
    """Rendering of a kind of table: variants of one system, or whole systems."""

    row_names: Callable[[RowSummary], dict[str, Value]]  #: leading columns of a row in every CSV
    row_values: Callable[["View", RowSummary], dict[str, Value]]  #: a row's line in the main CSV
    csv_files: Callable[["View"], dict[str, str]]  #: further CSVs by the suffix of their name
    markdown: Callable[["View"], str]
    latex: Callable[["View"], str]
    document: Callable[["View"], dict[str, object]]  #: further keys of the JSON
    charts: Callable[["View"], list[Chart]]
    console: Callable[["View", Console], None]
    template: str  #: template of the page
    page: Callable[["View"], Mapping[str, object]]  #: further variables of the template


@dataclass(frozen=True)
class View:
    """A summary with everything derived from it, and the kind of its table."""

    summary: Summary
    kind: Kind
    made_how: str  #: one line: watermark, data, preset, seeds, host
    answers: Answers
    power: Power | None  #: None below two paired seeds
    claims: tuple[ClaimVerdict, ...]  #: empty for a table without printed numbers
    pulse: PulseTable | None  #: None if no pulse was taken
    validation: ValidationTable | None  #: None without validation
    tuning: TuningTable | None  #: None without tuning
    columns: tuple[Column[Subject], ...]  #: all columns besides the mIoU with numbers
    second: tuple[Column[Subject], ...]  #: columns of the second table
    legend: tuple[str, ...] = ()  #: meaning of the columns, one sentence each
    # for whole systems; empty for variants of one system
    entries: tuple[Entry, ...] = ()
    groups: tuple[Group, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    tradeoffs: tuple[Tradeoff, ...] = ()

    @property
    def motion(self) -> MotionAnswer:
        """Answer on the contribution of past frames."""
        return self.answers.motion

    @property
    def signature(self) -> Signature:
        """Text below every figure."""
        faults = (fault for subject in self.summary.not_live for fault in subject.faults)
        return Signature(self.made_how, self.summary.conditions.watermark, tuple(faults))

    @property
    def undrawn(self) -> str:
        """Reason if the figures could not be drawn; else empty."""
        return self.summary.undrawn

    def noted(self, note: str) -> "View":
        """Return the view with one more note on the run."""
        notes = (*self.summary.notes, note)
        return replace(self, summary=replace(self.summary, notes=notes))
