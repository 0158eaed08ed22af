"""Rows and controls as frozen data: one network under one set of conditions, over seeds.

mIoU, IoU and their differences are in percent (0..100) everywhere.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.validation import Validation
from msaf_bench.records import PAST, Cost, SystemCost
from msaf_bench.spec import Past, System
from msaf_bench.stats import Difference, Interval
from msaf_bench.stats.bootstrap import ImageDifference

IN_STYLE = "≈"  #: before the label of a system that is only in the style of its source
NOT_LIVE = "‡"  #: behind the label of a row or control with a part that is not live


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of one trial."""

    seed: int
    trial: str
    state: Literal["done", "failed", "missing"]
    reason: str = ""
    miou: float | None = None
    seconds: float = 0.0  #: computing time, all phases
    ended: str = ""  #: UTC; empty for a record made before times were kept


@dataclass(frozen=True)
class RowConsistency:
    """A row's temporal consistency under one preset, over seeds."""

    preset: str
    flow: str
    interval: Interval | None  #: None for the reason given
    reason: str
    controls: tuple[tuple[str, float | None], ...]  #: mean over seeds
    by_seed: tuple[tuple[int, float], ...] = ()  #: of the seeds that have a value


@dataclass(frozen=True)
class Measures:
    """Measurements beside the mIoU over seeds."""

    images: Interval | None = None  #: of the mIoU, for other images and other seeds
    image_difference: ImageDifference | None = None  #: this row - reference row under such draws
    #: contribution of past frames: mIoU minus that with the newest frame repeated; None for one
    #: frame
    past: Interval | None = None
    consistency: tuple[RowConsistency, ...] = ()
    cost: Cost | None = None
    #: by mode, measured after the trials in rounds with the other rows
    speeds: tuple[Speed, ...] = ()
    published_cost: SystemCost | None = None  #: of the system as published, not as it was run
    validation: Validation | None = None  #: while training; None where there was none

    def macs(self, mode: str) -> int | None:
        """MACs of one result; None where they were not counted."""
        if self.cost is None:
            return None
        return sum(macs for _, macs in (self.cost.clip if mode == "clip" else self.cost.stream))

    def speed(self, mode: str) -> Speed | None:
        """The speed in a mode; None where it could not be timed."""
        return next((s for s in self.speeds if s.conditions.mode == mode and s.latency), None)


@dataclass(frozen=True)
class Part:
    """The pulse of one part over the finished seeds that have one: the part is live only if it is
    live in each of them.
    """

    name: str
    seeds: int
    dead: int  #: seeds in which it is not live
    #: of these the seeds in which that is only because the result hardly changes without it
    quiet: int
    why: str  #: of the dead seed whose result depends least on the part
    gradient: float | None  #: mean; None: frozen, or without weights
    #: mean percent of the pixels whose class changes when the part is silenced
    changed: float | None
    miou: float | None  #: mean mIoU lost when it is silenced, in points
    gauges: tuple[tuple[str, float], ...]  #: the worst reading of each

    @property
    def live(self) -> bool:
        """Return whether no seed has it dead."""
        return not self.dead

    @property
    def reason(self) -> str:
        """In how many seeds it is not live, and why; empty for a live part."""
        if self.live:
            return ""
        seeds = "seeds" if self.seeds > 1 else "seed"
        return f"not live in {self.dead} of {self.seeds} {seeds}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A row or a control: one network under one set of conditions, over seeds."""

    label: str
    system: System | None  #: None where the row is only printed
    note: str
    runs: tuple[TrialOutcome, ...]
    interval: Interval | None  #: of the mIoU over seeds
    params: int | None
    measures: Measures
    parts: tuple[Part, ...] = ()  #: empty where no pulse was taken

    @property
    def shown(self) -> str:
        """The label as it is printed, with its marks."""
        return self.marked(self.label)

    def marked(self, name: str) -> str:
        """A name with the marks: only in the style of its source, and not live."""
        style = f"{IN_STYLE} " if self.system and self.system.style else ""
        return f"{style}{name}{f' {NOT_LIVE}' if self.dead else ''}"

    @cached_property
    def measured(self) -> dict[int, float]:
        """The mIoU by seed, of the seeds that finished."""
        return {run.seed: run.miou for run in self.runs if run.miou is not None}

    @property
    def dead(self) -> tuple[Part, ...]:
        """The parts that are not live."""
        return tuple(part for part in self.parts if not part.live)

    @property
    def live(self) -> bool | None:
        """Whether all parts are live; None where no pulse was taken."""
        return not self.dead if self.parts else None

    @property
    def ill(self) -> str:
        """Why it is not live, part by part; empty where it is, or where no pulse was taken."""
        return "; ".join(self.faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """A sentence for each part that is not live."""
        return tuple(f"{part.name} of {self.label} is {part.reason}" for part in self.dead)

    @property
    def state(self) -> str:
        """The outcome of its trials: "done", "partial 3/5 seeds", "failed: reason", "missing" or
        "only printed".
        """
        if self.system is None:
            return "only printed"
        done = len(self.measured)
        if done:
            return "done" if done == len(self.runs) else f"partial {done}/{len(self.runs)} seeds"
        reasons = [run.reason or "no reason given" for run in self.runs if run.state == "failed"]
        return f"failed: {reasons[0]}" if reasons else "missing"

    @property
    def standing(self) -> str:
        """Its state, then each part that is not live and why."""
        return "; ".join([self.state, *(f"{part.name} {part.reason}" for part in self.dead)])


@dataclass(frozen=True, kw_only=True)
class RowSummary(Subject):
    """One row of the table: printed, measured, and compared with the reference row."""

    ticks: tuple[bool, ...]
    published: float | None
    #: IoU, mean over seeds; NaN for a class in neither truth nor prediction
    per_class: tuple[float, ...]
    per_class_sd: tuple[float, ...]  #: its deviation over seeds; NaN below two seeds
    difference: Difference | None  #: this row - reference row; None for the reference itself
    #: the interval's low end is above the best constant prediction; None without an interval
    clears_constant: bool | None
    #: why nothing follows from the difference: a part of this row or of the reference row that is
    #: not live
    against: str = ""


@dataclass(frozen=True, kw_only=True)
class ControlSummary(Subject):
    """A row of ours beside the table's own: what the run could have seen, and what it must
    not see.
    """

    role: str  #: of `msaf_bench.spec.Control`
    past_frames: Past  #: that it reads
    #: label of the row or control that it is compared with: a reading with the reference row,
    #: others with one frame
    compared: str
    gain: Difference | None  #: this control - that row; None where there is none

    @property
    def dead(self) -> tuple[Part, ...]:
        """The parts that are not live. A negative control does well to ignore its past frames."""
        return tuple(part for part in super().dead if (self.role, part.name) != ("negative", PAST))
