"""A table's rows as whole systems: what the paper calls and prints of each, what was measured, what
it costs as published.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from msaf_bench.analyzers.speed.comparison import UNRANKED
from msaf_bench.analyzers.speed.measure import Speed
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.records import SystemCost
from msaf_bench.spec import Table
from msaf_bench.stats import Interval


@dataclass(frozen=True)
class Entry:
    """One system of the table."""

    name: str  #: as the paper calls it, marked where the system is only in the style of its source
    backbone: str
    block: str  #: of the printed table
    printed: Mapping[str, float]
    daggers: frozenset[str]  #: the metrics whose number was made otherwise than the table says
    found: RowSummary

    @property
    def style(self) -> str:
        """Why it is only in the style of its source; empty where it is the system itself, or
        nothing is built.
        """
        return self.found.system.style if self.found.system else ""

    @property
    def miou(self) -> float | None:
        """Measured, mean over seeds."""
        return self.found.interval.mean if self.found.interval else None

    def tc(self, preset: str) -> Interval | None:
        """Temporal consistency under the preset, over seeds."""
        return next(
            (c.interval for c in self.found.measures.consistency if c.preset == preset), None
        )

    def tc_mean(self, preset: str) -> float | None:
        """Its mean."""
        interval = self.tc(preset)
        return interval.mean if interval else None

    def speed(self, mode: str) -> Speed | None:
        """Where it could be timed."""
        return self.found.measures.speed(mode)

    def fps(self, mode: str) -> float | None:
        """1000 / mean latency; in a cycle of frames the mean is over whole cycles."""
        speed = self.speed(mode)
        return speed.fps if speed else None

    @property
    def ranked(self) -> bool:
        """Whether nothing speaks against giving its time in stream mode a place among others."""
        speed = self.speed("stream")
        return speed is not None and not {*UNRANKED} & {word for word, _ in speed.flags}

    @property
    def phases(self) -> tuple[float, float] | None:
        """Milliseconds of the first frame of the stream's cycle and the mean of the others; None
        where it has one frame.
        """
        speed = self.speed("stream")
        ms = speed.phases_ms if speed else ()
        return (ms[0], fmean(ms[1:])) if len(ms) > 1 else None

    @property
    def peak_mib(self) -> float | None:
        """Peak memory in stream mode."""
        speed = self.speed("stream")
        if speed is None or speed.memory is None or speed.memory.peak_bytes is None:
            return None
        return speed.memory.peak_bytes / 2**20

    @property
    def cost(self) -> SystemCost | None:
        """Of the system as published, where it could be counted."""
        cost = self.found.measures.published_cost
        return None if cost is None or cost.reason else cost

    def macs(self, mode: str) -> float | None:
        """Of one result of the system as published: in clip mode the whole clip, in stream mode the
        mean frame of a cycle.
        """
        if self.cost is None or (mode == "stream" and not self.cost.stream):
            return None
        return self.cost.clip if mode == "clip" else fmean(self.cost.stream)


def compares_systems(table: Table) -> bool:
    """Return whether the rows are whole systems; else they are variants of one, the base."""
    return not table.base


def entries(summary: Summary) -> tuple[Entry, ...]:
    """Every row of the table, in its order. A name that does not tell two rows apart gives way to
    the rows' labels.
    """
    rows = dict(summary.table.rows)
    known = Counter((row.model, row.backbone) for row in rows.values())

    def entry(found: RowSummary) -> Entry:
        row = rows[found.label]
        name = row.model if row.model and known[row.model, row.backbone] == 1 else found.label
        return Entry(
            found.marked(name),
            row.backbone,
            row.block,
            dict(row.paper),
            frozenset(dict(row.provenance)),
            found,
        )

    return tuple(entry(found) for found in summary.rows)


def blocks(found: Iterable[Entry]) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """The entries by the block of the printed table they stand in."""
    return ((name, tuple(group)) for name, group in groupby(found, key=lambda entry: entry.block))


def presets(found: Iterable[Entry]) -> tuple[str, ...]:
    """Return the presets of temporal consistency that have a number."""
    measured = (c for entry in found for c in entry.found.measures.consistency)
    return tuple(dict.fromkeys(c.preset for c in measured if c.interval))


def timed_alike(found: Iterable[Entry]) -> bool:
    """Return whether all times in stream mode come from one machine under the same conditions: only
    then they can be ranked.
    """
    timed = [speed for entry in found if (speed := entry.speed("stream"))]
    return len({(speed.conditions, speed.host.cpu, speed.host.device) for speed in timed}) == 1
