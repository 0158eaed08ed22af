"""Rows of a table as whole systems: printed names and numbers, measurements, published cost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from msaf_bench.analyzers.speed.comparison import UNRANKED
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.records import SystemCost
from msaf_bench.spec import Table
from msaf_bench.stats import Interval


@dataclass(frozen=True)
class Entry:
    """One system of the table."""

    name: str  #: name in the paper, with a mark for "only in the style of its source"
    backbone: str
    block: str  #: block of the printed table
    printed: Mapping[str, float]
    daggers: frozenset[str]  #: metrics whose number was produced otherwise than the table states
    found: RowSummary

    @property
    def style(self) -> str:
        """Why it is only in the style of its source; empty for the system itself or without one."""
        return self.found.system.style if self.found.system else ""

    @property
    def miou(self) -> float | None:
        """Measured mIoU, mean over seeds."""
        return self.found.interval.mean if self.found.interval else None

    def tc(self, preset: str) -> Interval | None:
        """Return the temporal consistency under the preset, over seeds."""
        return next(
            (c.interval for c in self.found.measures.consistency if c.preset == preset), None
        )

    def tc_mean(self, preset: str) -> float | None:
        """Return the mean temporal consistency under the preset."""
        interval = self.tc(preset)
        return interval.mean if interval else None

    def speed(self, mode: str) -> Speed | None:
        """Return the speed in a mode; None if it could not be timed."""
        return self.found.measures.speed(mode)

    def fps(self, mode: str) -> float | None:
        """Return 1000 / mean latency in ms, with the mean over whole cycles of frames."""
        speed = self.speed(mode)
        return speed.fps if speed else None

    @property
    def ranked(self) -> bool:
        """Whether its latency in stream mode may be ranked with others."""
        speed = self.speed("stream")
        return speed is not None and not {*UNRANKED} & {word for word, _ in speed.flags}

    @property
    def phases(self) -> tuple[float, float] | None:
        """Latency in ms of the first frame of the stream's cycle, and mean latency of the others.

        None for a cycle of one frame.
        """
        speed = self.speed("stream")
        ms = speed.phases_ms if speed else ()
        return (ms[0], fmean(ms[1:])) if len(ms) > 1 else None

    @property
    def peak_mib(self) -> float | None:
        """Peak memory in stream mode in MiB; None if unknown."""
        speed = self.speed("stream")
        if speed is None or speed.memory is None or speed.memory.peak_bytes is None:
            return None
        return speed.memory.peak_bytes / 2**20

    @property
    def cost(self) -> SystemCost | None:
        """Cost at the published size; None if it could not be counted."""
        cost = self.found.measures.published_cost
        return None if cost is None or cost.reason else cost

    def macs(self, mode: str) -> float | None:
        """Return the MACs per result at the published size; None if unknown.

        Clip mode counts the whole clip, stream mode the mean frame of a cycle.
        """
        if self.cost is None or (mode == "stream" and not self.cost.stream):
            return None
        return self.cost.clip if mode == "clip" else fmean(self.cost.stream)


def compares_systems(table: Table) -> bool:
    """Return whether the rows are whole systems and not variants of one base system."""
    return not table.base


def entries(summary: Summary) -> tuple[Entry, ...]:
    """Return every row of the table in order; rows with the same name get their labels instead."""
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
    """Return the entries grouped by block of the printed table."""
    return ((name, tuple(group)) for name, group in groupby(found, key=lambda entry: entry.block))


def presets(found: Iterable[Entry]) -> tuple[str, ...]:
    """Return the presets of temporal consistency with at least one number."""
    measured = (c for entry in found for c in entry.found.measures.consistency)
    return tuple(dict.fromkeys(c.preset for c in measured if c.interval))


def timed_alike(found: Iterable[Entry]) -> bool:
    """Return whether all times in stream mode can be ranked: one machine, one set of conditions."""
    timed = [speed for entry in found if (speed := entry.speed("stream"))]
    return len({(speed.conditions, speed.host.cpu, speed.host.device) for speed in timed}) == 1
