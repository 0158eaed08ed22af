"""A summary as frozen data: the same for the tables, the figures and the page.

mIoU, IoU and their differences are in percent (0..100) everywhere.
"""

from dataclasses import dataclass

from msaf_bench.findings.subjects import ControlSummary, RowSummary, Run, Subject
from msaf_bench.findings.wording import Word
from msaf_bench.host import Host
from msaf_bench.spec import Conditions, Table
from msaf_bench.stats import Agreement, Decision, Difference, Effect, Omnibus


@dataclass(frozen=True)
class Verdict:
    """A sentence of the paper, "better beats worse", and the verdict of our seeds."""

    better: str
    worse: str
    source: str
    points: float | None  #: printed difference
    difference: Difference | None  #: better - worse
    decision: Decision  #: of the difference, whatever the conditions
    word: Word
    against: str  #: why it is not comparable: a part that is not live
    margin: float  #: points within which two rows count as the same

    @property
    def covers(self) -> bool | None:
        """Whether our interval holds the printed difference; None where there is no interval or
        nothing is printed.
        """
        i = self.difference.interval if self.difference else None
        return (
            None
            if i is None or i.low is None or i.high is None or self.points is None
            else i.low <= self.points <= i.high
        )


@dataclass(frozen=True)
class Constant:
    """The best prediction that looks at nothing: one class everywhere."""

    class_name: str
    miou: float


@dataclass(frozen=True)
class Summary:
    """A table with everything that the records say of it."""

    table: Table
    rows: tuple[RowSummary, ...]
    verdicts: tuple[Verdict, ...]
    agreement: Agreement
    omnibus: Omnibus  #: whether the rows differ at all
    effects: tuple[Effect, ...]
    shares: tuple[Effect, ...]  #: Shapley values
    constant: Constant | None
    conditions: Conditions
    hosts: tuple[Host, ...]
    seeds: tuple[int, ...]
    data: tuple[str, ...]  #: fingerprints of the data that the records read
    starts: tuple[str, ...]  #: the weights that the backbones started from
    class_names: tuple[str, ...]
    notes: tuple[str, ...]  #: what a reader must know before comparing rows
    controls: tuple[ControlSummary, ...] = ()
    #: label of the row or control whose network reads one frame with nothing in its slots
    single: str = ""
    undrawn: str = ""  #: why there are no figures, where they could not be drawn

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The rows, then the controls."""
        return (*self.rows, *self.controls)

    @property
    def not_live(self) -> tuple[Subject, ...]:
        """The rows, then the controls, with a part that is not live."""
        return tuple(subject for subject in self.subjects if subject.dead)

    @property
    def failed(self) -> tuple[tuple[str, Run], ...]:
        """Every failed trial with the label of its row or control."""
        return tuple(
            (subject.label, run)
            for subject in self.subjects
            for run in subject.runs
            if run.state == "failed"
        )

    @property
    def measured(self) -> tuple[RowSummary, ...]:
        """The rows with at least one finished seed."""
        return tuple(row for row in self.rows if row.measured)
