"""Accuracy against speed and against consistency: the systems as points, and which of them nothing
else beats in both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from msaf_bench.findings.systems import Entry, presets, timed_alike
from msaf_bench.stats.pareto import pareto_front

SPLITS = {"miou": "val", "miou_test": "test"}  #: what each printed mIoU is of


@dataclass(frozen=True)
class TradeoffPoint:
    """One system."""

    entry: Entry
    x: float
    miou: float
    #: whether its numbers may be compared with others; only then it can be on the front
    ranked: bool = True
    front: bool = False


@dataclass(frozen=True)
class Tradeoff:
    """mIoU against another number that is better when higher: measured here, and apart from that as
    the paper prints it.
    """

    name: str
    axis: str
    measured: tuple[TradeoffPoint, ...]
    metric: str  #: printed, that stands against the printed mIoU
    split: str  #: the metric that this mIoU is: of val or of test, whichever more rows have
    printed: tuple[
        TradeoffPoint, ...
    ]  #: without a front: the paper's numbers were made in different ways

    @property
    def front(self) -> tuple[TradeoffPoint, ...]:
        """Of the measured points."""
        return tuple(point for point in self.measured if point.front)


def tradeoffs(everyone: Sequence[Entry]) -> tuple[Tradeoff, ...]:
    """Return speed and consistency, where at least two systems have both numbers."""
    found: list[Tradeoff] = []
    if timed_alike(everyone):
        read = partial(Entry.fps, mode="stream")
        found.append(_tradeoff("speed", "FPS stream", everyone, read, "fps"))
    for preset in presets(everyone)[:1]:
        read = partial(Entry.tc_mean, preset=preset)
        found.append(_tradeoff("consistency", f"TC {preset}", everyone, read, "tc"))
    return tuple(tradeoff for tradeoff in found if len(tradeoff.measured) > 1)


def _tradeoff(
    name: str,
    axis: str,
    everyone: Sequence[Entry],
    read: Callable[[Entry], float | None],
    metric: str,
) -> Tradeoff:
    points = [
        TradeoffPoint(
            entry, x, entry.miou, ranked=not entry.found.dead and (name != "speed" or entry.ranked)
        )
        for entry in everyone
        if (x := read(entry)) is not None and entry.miou is not None
    ]
    kept = [point for point in points if point.ranked]
    best = [
        point.entry.found.label
        for point, front in zip(kept, pareto_front([(p.x, p.miou) for p in kept]), strict=True)
        if front
    ]
    both = {
        split: [entry for entry in everyone if {metric, split} <= entry.printed.keys()]
        for split in SPLITS
    }
    split = max(both, key=lambda column: len(both[column]))
    return Tradeoff(
        name=name,
        axis=axis,
        measured=tuple(replace(point, front=point.entry.found.label in best) for point in points),
        metric=metric,
        split=split,
        printed=tuple(
            TradeoffPoint(entry, entry.printed[metric], entry.printed[split], ranked=False)
            for entry in both[split]
        ),
    )
