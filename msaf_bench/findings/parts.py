"""Pulse of each part over the seeds of a row; the worst seed decides whether the part is live."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from msaf_bench.findings.subjects import Part
from msaf_bench.liveness import GAUGES, Supply, complaint
from msaf_bench.records import PAST, Pulse, Record

#: parts that process past frames only: uninformative past frames leave them nothing to change
THROUGH_PAST = ("align",)


def parts_of(records: Sequence[Record]) -> tuple[Part, ...]:
    """Return every part with a pulse in a finished record, in order of first appearance."""
    by_name: dict[str, list[Pulse]] = {}
    for record in records:
        for pulse in record.pulses:
            by_name.setdefault(pulse.part, []).append(pulse)
    return tuple(_over_seeds(name, pulses) for name, pulses in by_name.items())


def excused(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts as judged when past frames carry no information.

    A network may then ignore its past frames. An aligner may then leave the result unchanged, if it
    receives a gradient and its gauges stay in range.
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
    """Return whether a gauge or the gradient is out of range, whatever the part changes."""
    supply = None if pulse.gradient is None else Supply(pulse.gradient, pulse.silent or 0.0)
    return bool(complaint(dict(pulse.gauges), supply))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _worst(pulses: Sequence[Pulse]) -> tuple[tuple[str, float], ...]:
    """Return the worst reading of each gauge: the lowest for a low limit, else the highest."""
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
