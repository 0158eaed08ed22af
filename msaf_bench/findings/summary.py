"""Summary of a run, shared by the tables, the figures and the page.

mIoU, IoU and their differences are in percent (0..100) everywhere.
"""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from msaf_bench.findings.subjects import ControlSummary, RowSummary, Subject, TrialOutcome
from msaf_bench.findings.wording import Word
from msaf_bench.host import Host
from msaf_bench.spec import Conditions, Table
from msaf_bench.stats import Agreement, Decision, Difference, Effect, Interval, Omnibus

if TYPE_CHECKING:
    from msaf_bench.findings.tuning import Tuning


@dataclass(frozen=True)
class Verdict:
    """Verdict of our seeds on an ordering of the paper, "better beats worse"."""

    better: str
    worse: str
    source: str
    points: float | None  #: printed difference
    difference: Difference | None  #: better minus worse
    decision: Decision  #: on the difference, independent of the conditions
    word: Word
    against: str  #: reason if it is not comparable: a part that is not live
    margin: float  #: points within which two rows count as the same
    part: str = ""  #: part of the method by which the two rows differ

    @property
    def covers(self) -> bool | None:
        """Whether our interval contains the printed difference; None if either is missing."""
        if self.difference is None or self.points is None:
            return None
        low, high = self.difference.interval.low, self.difference.interval.high
        return None if low is None or high is None else low <= self.points <= high


@dataclass(frozen=True)
class Constant:
    """Best constant prediction: one class everywhere, without looking at the image."""

    class_name: str
    miou: float


@dataclass(frozen=True)
class Summary:
    """A table with all findings from the records of a run."""

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
    notes: tuple[str, ...]  #: caveats to read before comparing rows
    controls: tuple[ControlSummary, ...] = ()
    #: label of the single-frame row or control, with empty slots except the backbone; or empty
    single: str = ""
    tuning: "Tuning | None" = None  #: rows before and after tuning; None without tuning
    undrawn: str = ""  #: reason if the figures could not be drawn

    def _repr_html_(self) -> str:
        """Return an HTML table of rows and controls for notebooks."""
        lines = [
            (each.shown, each.state, _span(each.interval, ".2f"), _span(each.measures.past, "+.2f"))
            for each in self.subjects
        ]
        heads = ("row", "state", "mIoU in percent", "contribution of past frames in points")
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in lines)
        head = "".join(f"<th>{cell}</th>" for cell in heads)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        caption = escape(f"{self.table.name}: mean and 95 % interval over seeds")
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Rows, followed by controls."""
        return (*self.rows, *self.controls)

    @property
    def ended(self) -> str:
        """End of the newest trial in UTC; empty for old records without times."""
        return max((run.ended for each in self.subjects for run in each.runs), default="")

    @property
    def not_live(self) -> tuple[Subject, ...]:
        """Rows and controls with a part that is not live."""
        return tuple(subject for subject in self.subjects if subject.dead)

    @property
    def failed(self) -> tuple[tuple[str, TrialOutcome], ...]:
        """Failed trials, each with the label of its row or control."""
        return tuple(
            (subject.label, run)
            for subject in self.subjects
            for run in subject.runs
            if run.state == "failed"
        )

    @property
    def measured(self) -> tuple[RowSummary, ...]:
        """Rows with at least one finished seed."""
        return tuple(row for row in self.rows if row.measured)


def _span(interval: Interval | None, form: str) -> str:
    """Return the mean with its interval as text; a dash for None."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:{form}}"
    return f"{interval.mean:{form}} ({interval.low:{form}} to {interval.high:{form}})"
