"""Table of the pulse of the parts: one line per row or control, one column per part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from msaf_bench.findings.digits import NONE, number
from msaf_bench.findings.subjects import NOT_LIVE, Part, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.liveness import CHANGED_LEAST, GAUGES, GRADIENT_LEAST, SILENT_MOST
from msaf_bench.records import PAST

TITLE = "Pulse of the parts"
_VALUE = re.compile(r"\{value:([^}]*)\}")


@dataclass(frozen=True)
class PulseCell:
    """One part of one row: live or not, share of pixels that change without it, and gauges."""

    live: bool
    changed: str
    gauges: str

    @property
    def text(self) -> str:
        """Cell as one line of text."""
        said = f"{'live' if self.live else 'not live'}, {self.changed}"
        return f"{said} ({self.gauges})" if self.gauges else said


@dataclass(frozen=True)
class PulseTable:
    """Rows and controls with a pulse, one cell per part; None for parts a network lacks."""

    parts: tuple[str, ...]
    lines: tuple[tuple[Subject, tuple[PulseCell | None, ...]], ...]
    legend: tuple[str, ...]

    def texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines as text."""
        for subject, cells in self.lines:
            yield (subject.shown, *(cell.text if cell else NONE for cell in cells))


def pulse_table(summary: Summary) -> PulseTable | None:
    """Return the table with past frames as last part; None if no pulse was taken."""
    pulsed = [subject for subject in summary.subjects if subject.parts]
    if not pulsed:
        return None
    names = dict.fromkeys(part.name for subject in pulsed for part in subject.parts)
    parts = tuple(sorted(names, key=lambda name: name == PAST))
    lines = tuple((subject, _cells(subject, parts)) for subject in pulsed)
    gauges = dict.fromkeys(
        name for subject in pulsed for part in subject.parts for name, _ in part.gauges
    )
    return PulseTable(parts, lines, tuple(_legend(tuple(gauges), past=PAST in names)))


def _cells(subject: Subject, parts: tuple[str, ...]) -> tuple[PulseCell | None, ...]:
    found = {part.name: part for part in subject.parts}
    return tuple(_cell(part) if (part := found.get(name)) else None for name in parts)


def _cell(part: Part) -> PulseCell:
    told = [(name, value) for name, value in part.gauges if _told(name, value)]
    gauges = ", ".join(f"{name} {_reading(name, value)}" for name, value in told)
    return PulseCell(part.live, _changed(part.changed), gauges)


def _changed(percent: float | None) -> str:
    if percent is None:
        return NONE
    return f"{number(percent, 1 if percent >= 1 else 2)} %"


def _told(name: str, value: float) -> bool:
    """Return whether to show a reading; "varying" is shown only out of range."""
    return name != "varying" or not GAUGES[name].holds(value)


def _reading(name: str, value: float) -> str:
    """Return a reading in the format of its gauge."""
    form = _VALUE.search(GAUGES[name].text) if name in GAUGES else None
    return format(value, form[1] if form else ".3g")


def _legend(gauges: tuple[str, ...], *, past: bool) -> Iterator[str]:
    yield (
        "A part is live if gradient reaches it, the result changes when it is silenced, and its"
        f" gauges are in range, in every finished seed. {NOT_LIVE} marks a row or control with a"
        " part that is not live; it supports no conclusion."
    )
    yield (
        "Percent: pixels whose class changes when the part is silenced (its output replaced by its"
        f" mean over the image), mean over seeds; live from {CHANGED_LEAST:g} %. Gradient: live"
        f" from {GRADIENT_LEAST:g} times the network's rms gradient, if at most {SILENT_MOST:.0%}"
        " of the part's weights receive none."
    )
    if past:
        yield (
            "Past: the past frames; to silence them, the newest frame replaces them. A negative"
            " control should ignore its past frames."
        )
    limits = [f"{name}: {_limit(name)}" for name in gauges if name in GAUGES]
    if limits:
        yield (
            f"Gauges show the worst seed; range of a live part: {'; '.join(limits)}. Varying is"
            " shown only out of range."
        )


def _limit(name: str) -> str:
    """Return the range of a gauge in words."""
    gauge = GAUGES[name]
    low, high = gauge.low > float("-inf"), gauge.high < float("inf")

    def bound(form: re.Match[str]) -> str:
        if not (low or high):
            return "n"
        ends: list[str] = []
        if low:
            ends.append(f"at least {format(gauge.low, form[1])}")
        if high:
            ends.append(f"at most {format(gauge.high, form[1])}")
        return " and ".join(ends)

    return _VALUE.sub(bound, gauge.text) + ("" if low or high else " (no limit)")
