"""All that a report shows, derived once: tables, figures, the page and the terminal only render it.

`view_of` in `msaf_bench.report.kinds` makes it.
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
    """How a kind of table is rendered; there are two, variants of one system and whole systems."""

    row_names: Callable[[RowSummary], dict[str, Value]]  #: first on a row's line of every CSV
    row_values: Callable[["View", RowSummary], dict[str, Value]]  #: a row's line of the CSV
    csv_files: Callable[["View"], dict[str, str]]  #: further CSVs by the ending of their name
    markdown: Callable[["View"], str]
    latex: Callable[["View"], str]
    document: Callable[["View"], dict[str, object]]  #: further keys of the JSON
    charts: Callable[["View"], list[Chart]]
    console: Callable[["View", Console], None]
    template: str  #: of the page
    page: Callable[["View"], Mapping[str, object]]  #: further names in the template


@dataclass(frozen=True)
class View:
    """A summary with everything that follows from it, and the kind of its table."""

    summary: Summary
    kind: Kind
    made_how: str  #: one line: watermark, data, preset, seeds, host
    answers: Answers
    power: Power | None  #: None below two paired seeds
    claims: tuple[ClaimVerdict, ...]  #: empty for a table that prints nothing
    pulse: PulseTable | None  #: None where no pulse was taken
    validation: ValidationTable | None  #: None where training was not validated
    tuning: TuningTable | None  #: None for a run without a search
    columns: tuple[Column[Subject], ...]  #: beside the mIoU, all that the records can fill
    second: tuple[Column[Subject], ...]  #: of these the ones in the second table
    legend: tuple[str, ...] = ()  #: meaning of the columns, in sentences
    # of whole systems; empty for variants of one
    entries: tuple[Entry, ...] = ()
    groups: tuple[Group, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    tradeoffs: tuple[Tradeoff, ...] = ()

    @property
    def motion(self) -> MotionAnswer:
        """How much past frames contribute."""
        return self.answers.motion

    @property
    def signature(self) -> Signature:
        """What stands below every figure."""
        faults = (fault for subject in self.summary.not_live for fault in subject.faults)
        return Signature(self.made_how, self.summary.conditions.watermark, tuple(faults))

    @property
    def undrawn(self) -> str:
        """Why there are no figures, where they could not be drawn."""
        return self.summary.undrawn

    def noted(self, note: str) -> "View":
        """Return the view with one more note on the run."""
        notes = (*self.summary.notes, note)
        return replace(self, summary=replace(self.summary, notes=notes))
