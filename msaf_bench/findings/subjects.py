"""Summaries of rows and controls: one network under one set of conditions, over seeds.

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

IN_STYLE = "≈"  #: precedes the label of a system that is only in the style of its source
NOT_LIVE = "‡"  #: follows the label of a row or control with a part that is not live


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of one trial."""

    seed: int
    trial: str
    state: Literal["done", "failed", "missing"]
    reason: str = ""
    miou: float | None = None
    seconds: float = 0.0  #: computing time of all phases
    ended: str = ""  #: time of its end in UTC; empty in old records without times


@dataclass(frozen=True)
class RowConsistency:
    """A row's temporal consistency under one preset, over seeds."""

    preset: str
    flow: str
    interval: Interval | None  #: None for the `reason`
    reason: str
    controls: tuple[tuple[str, float | None], ...]  #: mean over seeds
    by_seed: tuple[tuple[int, float], ...] = ()  #: of the seeds that have a value


@dataclass(frozen=True)
class Measures:
    """Measurements besides the mIoU over seeds."""

    images: Interval | None = None  #: interval of the mIoU for other images and seeds
    image_difference: ImageDifference | None = None  #: row - reference row, likewise
    #: contribution of past frames: mIoU minus the mIoU with the newest frame repeated; None for
    #: single-frame networks
    past: Interval | None = None
    consistency: tuple[RowConsistency, ...] = ()
    cost: Cost | None = None
    #: one per mode, measured after the trials in rounds with the other rows
    speeds: tuple[Speed, ...] = ()
    published_cost: SystemCost | None = None  #: at the published size, not as run
    validation: Validation | None = None  #: during training; None without validation

    def macs(self, mode: str) -> int | None:
        """Return the MACs per result; None if they were not counted."""
        if self.cost is None:
            return None
        return sum(macs for _, macs in (self.cost.clip if mode == "clip" else self.cost.stream))

    def speed(self, mode: str) -> Speed | None:
        """Return the speed in a mode; None if it could not be timed."""
        return next((s for s in self.speeds if s.conditions.mode == mode and s.latency), None)


@dataclass(frozen=True)
class Part:
    """Pulse of one part over the seeds that have one; live only if it is live in each of them."""

    name: str
    seeds: int
    dead: int  #: number of seeds in which it is not live
    #: number of dead seeds whose only fault is that the result hardly changes without the part
    quiet: int
    why: str  #: reason from the dead seed whose result depends least on the part
    gradient: float | None  #: mean; None if frozen or without weights
    #: mean percent of the pixels whose class changes when the part is silenced
    changed: float | None
    miou: float | None  #: mean mIoU lost when the part is silenced, in points
    gauges: tuple[tuple[str, float], ...]  #: worst reading of each gauge

    @property
    def live(self) -> bool:
        """Whether the part is live in every seed."""
        return not self.dead

    @property
    def reason(self) -> str:
        """Number of seeds in which the part is not live, with the reason; empty for a live part."""
        if self.live:
            return ""
        seeds = "seeds" if self.seeds > 1 else "seed"
        return f"not live in {self.dead} of {self.seeds} {seeds}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A row or a control: one network under one set of conditions, over seeds."""

    label: str
    system: System | None  #: None for a row that is only printed
    note: str
    runs: tuple[TrialOutcome, ...]
    interval: Interval | None  #: interval of the mIoU over seeds
    params: int | None
    measures: Measures
    parts: tuple[Part, ...] = ()  #: empty if no pulse was taken

    @property
    def shown(self) -> str:
        """Label with its marks, as reports show it."""
        return self.marked(self.label)

    def marked(self, name: str) -> str:
        """Return a name with the marks for "in the style of its source" and for "not live"."""
        style = f"{IN_STYLE} " if self.system and self.system.style else ""
        return f"{style}{name}{f' {NOT_LIVE}' if self.dead else ''}"

    @cached_property
    def measured(self) -> dict[int, float]:
        """Finished seeds with their mIoU."""
        return {run.seed: run.miou for run in self.runs if run.miou is not None}

    @property
    def dead(self) -> tuple[Part, ...]:
        """Parts that are not live."""
        return tuple(part for part in self.parts if not part.live)

    @property
    def live(self) -> bool | None:
        """Whether all parts are live; None if no pulse was taken."""
        return not self.dead if self.parts else None

    @property
    def ill(self) -> str:
        """Faults of all parts in one line; empty if every part is live or no pulse was taken."""
        return "; ".join(self.faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """Sentences, one per part that is not live."""
        return tuple(f"{part.name} of {self.label} is {part.reason}" for part in self.dead)

    @property
    def state(self) -> str:
        """Outcome of the trials.

        One of "done", "partial 3/5 seeds", "failed: reason", "missing" and "only printed".
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
        """State, followed by each part that is not live with its reason."""
        return "; ".join([self.state, *(f"{part.name} {part.reason}" for part in self.dead)])


@dataclass(frozen=True, kw_only=True)
class RowSummary(Subject):
    """One row of the table: printed, measured, and compared with the reference row."""

    ticks: tuple[bool, ...]
    published: float | None
    #: IoU, mean over seeds; NaN for a class in neither ground truth nor predictions
    per_class: tuple[float, ...]
    per_class_sd: tuple[float, ...]  #: standard deviation over seeds; NaN below two seeds
    difference: Difference | None  #: this row - reference row; None for the reference itself
    #: whether the interval lies above the best constant prediction; None without an interval
    clears_constant: bool | None
    #: faults of this row or of the reference row that make the difference not comparable
    against: str = ""


@dataclass(frozen=True, kw_only=True)
class ControlSummary(Subject):
    """An added row that tests whether the run finds effects of past frames, and only real ones."""

    role: str  #: of `msaf_bench.spec.Control`
    past_frames: Past  #: past frames that the network reads
    #: label of the row or control it is compared with: the reference row for another reading of
    #: the paper, the single-frame row for all other controls
    compared: str
    gain: Difference | None  #: this control minus `compared`; None if there is no such row

    @property
    def dead(self) -> tuple[Part, ...]:
        """Parts that are not live; a negative control may ignore its past frames."""
        return tuple(part for part in super().dead if (self.role, part.name) != ("negative", PAST))
