"""The pulse of each part over the seeds of a row: the worst seed decides whether the part is
live.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from msaf_bench.findings.subjects import Part
from msaf_bench.liveness import GAUGES, Supply, complaint
from msaf_bench.records import PAST, Pulse, Record

#: parts that see past frames alone: where these hold nothing, they have nothing to change
THROUGH_PAST = ("align",)


def parts_of(records: Sequence[Record]) -> tuple[Part, ...]:
    """Every part that has a pulse in one of the finished records, in the order of the first record
    that has it.
    """
    by_name: dict[str, list[Pulse]] = {}
    for record in records:
        for pulse in record.pulses:
            by_name.setdefault(pulse.part, []).append(pulse)
    return tuple(_over_seeds(name, pulses) for name, pulses in by_name.items())


def excused(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts where past frames hold nothing to find: a network that ignores them is not ill, nor
    is an aligner of past frames that changes nothing but gets its gradient and stays on the map.
    """
    return tuple(
        replace(part, dead=0, why="") if part.name == PAST or _only_quiet(part) else part
        for part in parts
    )


def _only_quiet(part: Part) -> bool:
    return part.name in THROUGH_PAST and part.dead == part.quiet


def _over_seeds(name: str, pulses: Sequence[Pulse]) -> Part:
    dead = [pulse for pulse in pulses if not pulse.live]
    worst = min(
        dead,
        key=lambda pulse: float("inf") if pulse.changed is None else pulse.changed,
        default=None,
    )
    return Part(
        name=name,
        seeds=len(pulses),
        dead=len(dead),
        quiet=sum(not _sick(pulse) for pulse in dead),
        why=(worst.reason or "no reason given") if worst else "",
        gradient=_mean([pulse.gradient for pulse in pulses]),
        changed=_mean([pulse.changed for pulse in pulses]),
        miou=_mean([pulse.miou for pulse in pulses]),
        gauges=_worst(pulses),
    )


def _sick(pulse: Pulse) -> bool:
    """Whether a gauge or the gradient is out of range, whatever the part changes."""
    supply = None if pulse.gradient is None else Supply(pulse.gradient, pulse.silent or 0.0)
    return bool(complaint(dict(pulse.gauges), supply))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _worst(pulses: Sequence[Pulse]) -> tuple[tuple[str, float], ...]:
    """The reading of each gauge that is nearest to its limit, or farthest beyond: the lowest where
    it has a low limit, else the highest.
    """
    readings: dict[str, list[float]] = {}
    for pulse in pulses:
        for name, value in pulse.gauges:
            readings.setdefault(name, []).append(value)
    if not readings:
        return ()

    low = {name for name, gauge in GAUGES.items() if gauge.low > float("-inf")}
    return tuple(
        (name, min(values) if name in low else max(values)) for name, values in readings.items()
    )
