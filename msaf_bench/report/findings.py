"""What a summary holds, as frozen data: the same for the tables, the figures and the page.

mIoU, IoU and their differences are in percent (0..100) everywhere.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from msaf_bench.analyzers.speed.measure import Speed
from msaf_bench.records import Cost, Host, SystemCost
from msaf_bench.spec import Conditions, System, Table
from msaf_bench.stats import Agreement, Decision, Difference, Effect, Interval, Omnibus
from msaf_bench.stats.bootstrap import ImageDifference

IN_STYLE = "≈"  #: before the label of a system that is only in the style of its source
STARS_FROM = 6  #: seeds; below, the exact two-sided p of even a single comparison cannot fall under 0.05


@dataclass(frozen=True)
class Run:
    """One seed of one row: what became of its trial."""

    seed: int
    trial: str
    state: Literal["done", "failed", "missing"]
    reason: str = ""
    miou: float | None = None


@dataclass(frozen=True)
class RowConsistency:
    """A row's temporal consistency under one preset, over seeds."""

    preset: str
    flow: str
    interval: Interval | None  #: None for the reason given
    reason: str
    controls: tuple[tuple[str, float | None], ...]  #: mean over seeds


@dataclass(frozen=True)
class Measures:
    """What is known of a row beside its mIoU over seeds."""

    images: Interval | None = None  #: of the mIoU when images and seeds are drawn again: what other frames might have given
    image_difference: ImageDifference | None = None  #: this row - reference row under such draws
    past: Interval | None = None  #: what the mIoU loses when the newest frame stands for its history; None for a network of one frame
    consistency: tuple[RowConsistency, ...] = ()
    cost: Cost | None = None
    speeds: tuple[Speed, ...] = ()  #: by mode, measured alone after the trials
    published_cost: SystemCost | None = None  #: of the system as published, not as it was run


@dataclass(frozen=True)
class RowSummary:
    """One row of the table: printed, measured, and compared with the reference row."""

    label: str
    system: System | None  #: None where the row is only printed
    note: str
    ticks: tuple[bool, ...]
    published: float | None
    runs: tuple[Run, ...]
    interval: Interval | None  #: of the mIoU over seeds
    per_class: tuple[float, ...]  #: IoU, mean over seeds; NaN for a class in neither truth nor prediction
    per_class_sd: tuple[float, ...]  #: its deviation over seeds; NaN below two seeds
    params: int | None
    loss: tuple[tuple[int, float], ...]  #: (step, mean over the seeds that logged it)
    difference: Difference | None  #: this row - reference row; None for the reference itself
    p_holm: float | None
    measures: Measures
    clears_constant: bool | None  #: the interval's low end is above the best constant prediction; None without an interval

    @property
    def shown(self) -> str:
        """The label as it is printed: marked where the system is only in the style of its source."""
        return f"{IN_STYLE} {self.label}" if self.system and self.system.style else self.label

    @cached_property
    def measured(self) -> dict[int, float]:
        """The mIoU by seed, of the seeds that finished."""
        return {run.seed: run.miou for run in self.runs if run.miou is not None}

    @property
    def state(self) -> str:
        """What became of the row: "done", "partial 3/5 seeds", "failed: reason", "missing" or "only printed"."""
        if self.system is None:
            return "only printed"
        done = len(self.measured)
        if done:
            return "done" if done == len(self.runs) else f"partial {done}/{len(self.runs)} seeds"
        reasons = [run.reason or "no reason given" for run in self.runs if run.state == "failed"]
        return f"failed: {reasons[0]}" if reasons else "missing"

    @property
    def stars(self) -> str:
        """One star for each of 0.05, 0.01 and 0.001 that the adjusted p is below; none below six seeds."""
        if self.p_holm is None or self.difference is None or self.difference.interval.n < STARS_FROM:
            return ""
        return "*" * sum(self.p_holm < level for level in (0.05, 0.01, 0.001))


@dataclass(frozen=True)
class Verdict:
    """A sentence of the paper, "better beats worse", and what our seeds say of it."""

    better: str
    worse: str
    source: str
    points: float | None  #: printed difference
    difference: Difference | None  #: better - worse
    decision: Decision

    @property
    def covers(self) -> bool | None:
        """Whether our interval holds the printed difference; None where there is no interval or nothing is printed."""
        i = self.difference.interval if self.difference else None
        return None if i is None or i.low is None or i.high is None or self.points is None else i.low <= self.points <= i.high


@dataclass(frozen=True)
class Control:
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
    control: Control | None
    conditions: Conditions
    hosts: tuple[Host, ...]
    seeds: tuple[int, ...]
    data: tuple[str, ...]  #: fingerprints of the data that the records read
    starts: tuple[str, ...]  #: the weights that the backbones started from
    class_names: tuple[str, ...]
    notes: tuple[str, ...]  #: what a reader must know before comparing rows

    @property
    def failed(self) -> tuple[tuple[str, Run], ...]:
        """Every failed trial with its row's label."""
        return tuple((row.label, run) for row in self.rows for run in row.runs if run.state == "failed")

    @property
    def measured(self) -> tuple[RowSummary, ...]:
        """The rows with at least one finished seed."""
        return tuple(row for row in self.rows if row.measured)
