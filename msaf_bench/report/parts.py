"""The pulse of each part over the seeds of a row: the worst seed decides whether the part is live."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from msaf_bench.records import PAST, Pulse, Record
from msaf_bench.report.subjects import Part


def parts_of(records: Sequence[Record]) -> tuple[Part, ...]:
    """Every part that has a pulse in one of the finished records, in the order of the first record that has it."""
    by_name: dict[str, list[Pulse]] = {}
    for record in records:
        for pulse in record.pulses:
            by_name.setdefault(pulse.part, []).append(pulse)
    return tuple(_over_seeds(name, found) for name, found in by_name.items())


def excused(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts where past frames hold nothing to find: a network that ignores them is not ill."""
    return tuple(replace(part, dead=0, why="") if part.name == PAST else part for part in parts)


def _over_seeds(name: str, found: Sequence[Pulse]) -> Part:
    dead = [pulse for pulse in found if not pulse.live]
    worst = min(dead, key=lambda pulse: float("inf") if pulse.changed is None else pulse.changed, default=None)
    return Part(
        name=name,
        seeds=len(found),
        dead=len(dead),
        why=(worst.reason or "no reason given") if worst else "",
        gradient=_mean([pulse.gradient for pulse in found]),
        changed=_mean([pulse.changed for pulse in found]),
        miou=_mean([pulse.miou for pulse in found]),
        gauges=_worst(found),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _worst(found: Sequence[Pulse]) -> tuple[tuple[str, float], ...]:
    """The reading of each gauge that is nearest to its limit, or farthest beyond: the lowest where it has a low limit, else the highest."""
    readings: dict[str, list[float]] = {}
    for pulse in found:
        for name, value in pulse.gauges:
            readings.setdefault(name, []).append(value)
    if not readings:
        return ()
    from msaf_bench.components.gauges import GAUGES  # with torch: only for records that have pulses

    low = {name for name, gauge in GAUGES.items() if gauge.low > float("-inf")}
    return tuple((name, min(values) if name in low else max(values)) for name, values in readings.items())
