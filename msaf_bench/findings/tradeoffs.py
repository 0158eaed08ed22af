"""Accuracy against speed and against temporal consistency, with the Pareto front of the systems."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from msaf_bench.findings.systems import Entry, presets, timed_alike
from msaf_bench.stats.pareto import pareto_front

SPLITS = {"miou": "val", "miou_test": "test"}  #: split by key of the printed mIoU


@dataclass(frozen=True)
class TradeoffPoint:
    """One system in the plane of the two numbers."""

    entry: Entry
    x: float
    miou: float
    #: whether its numbers may be compared with others; the front consists of ranked points only
    ranked: bool = True
    front: bool = False


@dataclass(frozen=True)
class Tradeoff:
    """mIoU against another number that is better when higher, as measured and as printed."""

    name: str
    axis: str
    measured: tuple[TradeoffPoint, ...]
    metric: str  #: printed metric on the other axis
    split: str  #: key of the printed mIoU: val or test, whichever more rows have
    #: without a front, as the paper's numbers come from different protocols
    printed: tuple[TradeoffPoint, ...]

    @property
    def front(self) -> tuple[TradeoffPoint, ...]:
        """Measured points that no other measured point beats in both numbers."""
        return tuple(point for point in self.measured if point.front)


def tradeoffs(everyone: Sequence[Entry]) -> tuple[Tradeoff, ...]:
    """Return speed and consistency against mIoU, if at least two systems have both numbers."""
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
