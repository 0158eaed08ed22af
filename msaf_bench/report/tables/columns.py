"""Columns besides the mIoU: other frames, consistency, past frames, cost and speed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.digits import NONE, counted, mean_span, number, span
from msaf_bench.findings.subjects import NOT_LIVE, RowConsistency, RowSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.spec import MODES
from msaf_bench.stats import Interval

PAST_HEAD = "past frames"
PAST_LEGEND = "Contribution of past frames: mIoU minus the mIoU with the newest frame repeated."
#: names of the controls of temporal consistency
CONTROLS = {"truth": "ground truth", "constant": "constant prediction"}
NAMED = 20  #: up to so many flagged timings are named; more are only counted
Value = str | int | float | None
Row = TypeVar("Row")


def bounds(interval: Interval | None, low: str, high: str) -> dict[str, Value]:
    """Return the bounds of an interval under the given names; None without bounds."""
    if interval is None:
        return {low: None, high: None}
    return {low: interval.low, high: interval.high}


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column, as text with its interval and as plain values for the CSV."""

    head: str
    text: Callable[[Row], str]
    values: Callable[[Row], dict[str, Value]]


def columns(summary: Summary) -> list[Column[Subject]]:
    """Return the columns with numbers in the records, in the order of the table."""
    rows = summary.rows
    found: list[Column[Subject]] = []
    if any(row.measures.images for row in rows):
        found.append(
            Column(
                "mIoU, other frames",
                lambda r: span(r.measures.images),
                lambda r: _bounds("images", r.measures.images),
            )
        )
    if any(row.measures.image_difference for row in rows):
        found.append(
            Column(f"ahead of {summary.table.reference}", _ahead, lambda r: {"ahead": _better(r)})
        )
    for preset in dict.fromkeys(c.preset for row in rows for c in row.measures.consistency):
        found += _consistency(preset)
    if any(row.measures.past for row in rows):
        found.append(
            Column(
                PAST_HEAD,
                lambda r: mean_span(r.measures.past, signed=True),
                lambda r: _values("past", r.measures.past),
            )
        )
    if any(row.measures.cost for row in rows):
        found += map(_cost, MODES)
    for mode in MODES:
        if any(row.measures.speed(mode) for row in rows):
            found += _speed(mode)
    return found


def legend(summary: Summary, shown: Sequence[Column[Subject]]) -> list[str]:
    """Return one sentence per column, with the controls of temporal consistency.

    These controls are the same for all rows, so they stand in the legend.
    """
    heads = {column.head for column in shown}
    kept = next(
        (row.measures.consistency for row in summary.measured if row.measures.consistency), ()
    )
    lines = [_consistency_sentence(c) for c in kept]
    if kept:
        lines.append("No warp: score of the same predictions under the preset without any warping.")
    if "past frames" in heads:
        lines.append(PAST_LEGEND)
    if "mIoU, other frames" in heads:
        lines.append(
            "Other frames: 95 % interval of the mIoU over frames (bootstrap) and seeds (Student t)."
            " It treats frames as independent; neighbouring frames of a video are not, so it is too"
            " narrow. With one seed it holds for that network only."
        )
    if any(head.startswith("ahead of") for head in heads):
        lines.append(
            "Ahead: share of bootstrap draws of frames in which the row beats the reference row."
        )
    if any(row.measures.cost for row in summary.rows):
        lines.append(
            "GMAC: multiply-accumulates per result (1 MAC = 2 FLOPs), counted from shapes without"
            " elementwise operations."
        )
    lines += _speed_sentences(
        [(row.label, speed) for row in summary.rows for speed in row.measures.speeds]
    )
    if any(row.measures.cost or row.measures.speeds for row in summary.rows):
        lines.append(
            "Clip: all frames of the window are computed. Stream: only the newest frame is"
            " computed, and results of past frames are reused."
        )
    return lines


def _consistency(preset: str) -> list[Column[Subject]]:
    """Return the columns of a preset: its score, and the score without any warp."""

    def of(row: Subject) -> RowConsistency | None:
        return next((c for c in row.measures.consistency if c.preset == preset), None)

    def interval(row: Subject) -> Interval | None:
        found = of(row)
        return found.interval if found else None

    def still(row: Subject) -> float | None:
        found = of(row)
        return dict(found.controls).get("no_warp") if found else None

    name = f"tc_{preset}"
    return [
        Column(
            f"TC {preset}", lambda r: mean_span(interval(r)), lambda r: _values(name, interval(r))
        ),
        Column("no warp", lambda r: number(still(r), 1), lambda r: {f"{name}_no_warp": still(r)}),
    ]


def _cost(mode: str) -> Column[Subject]:
    def text(row: Subject) -> str:
        macs = row.measures.macs(mode)
        return NONE if macs is None else number(macs / 1e9, 3)

    return Column(f"GMAC {mode}", text, lambda r: {f"macs_{mode}": r.measures.macs(mode)})


def _speed(mode: str) -> list[Column[Subject]]:
    def p50(row: Subject) -> float | None:
        speed = row.measures.speed(mode)
        return speed.latency.p50.value if speed and speed.latency else None

    def fps(row: Subject) -> float | None:
        speed = row.measures.speed(mode)
        return speed.fps if speed else None

    def text(row: Subject) -> str:
        speed = row.measures.speed(mode)
        return number(p50(row)) + flagged(speed)

    return [
        Column(f"ms {mode}", text, lambda r: {f"ms_{mode}": p50(r)}),
        Column(f"FPS {mode}", lambda r: number(fps(r), 1), lambda r: {f"fps_{mode}": fps(r)}),
    ]


def flagged(speed: Speed | None) -> str:
    """Return the mark of a flagged timing; empty without flags."""
    return "*" if speed and speed.flags else ""


def _ahead(row: Subject) -> str:
    better = _better(row)
    if better is None:
        return NONE
    share = f"{number(100 * better, 0)} %"
    return f"{share} {NOT_LIVE}" if isinstance(row, RowSummary) and row.against else share


def _better(row: Subject) -> float | None:
    found = row.measures.image_difference
    return found.better if found else None


def _values(name: str, interval: Interval | None) -> dict[str, Value]:
    return {name: interval.mean if interval else None, **_bounds(name, interval)}


def _bounds(name: str, interval: Interval | None) -> dict[str, Value]:
    return bounds(interval, f"{name}_low", f"{name}_high")


def _consistency_sentence(c: RowConsistency) -> str:
    controls = ", ".join(
        f"{CONTROLS.get(name, name.replace('_', ' '))} {number(value)}"
        for name, value in c.controls
        if name != "no_warp"
    )
    said = f"TC {c.preset}: temporal consistency in percent, flow {c.flow}"
    said += (
        ", without pixels that are sampled across a true object edge"
        if (c.flow, c.preset) == ("exact", "clean")
        else ""
    )
    return f"{said}; {c.reason}." if c.interval is None else f"{said}. Controls: {controls}."


def _speed_sentences(speeds: list[tuple[str, Speed]]) -> list[str]:
    if not speeds:
        return []
    lines = [_timed(speeds[0][1])]
    if len({_conditions(speed) for _, speed in speeds}) > 1:
        lines.append(
            "Not all rows were timed on one machine under the same conditions, so their ms and FPS"
            " must not be ranked."
        )
    if any(speed.flags for _, speed in speeds):
        lines.append(f"* flagged timings: {_flags(speeds)}.")
    return lines + [
        f"{label}, {speed.conditions.mode}: not timed: {speed.reason}."
        for label, speed in speeds
        if speed.reason
    ]


def _timed(speed: Speed) -> str:
    """Return how the times were taken, as a sentence."""
    c = speed.conditions
    schedule = "in interleaved rounds with the other rows" if c.schedule == "rounds" else "alone"
    return (
        f"ms: median latency of a {c.size[0]}x{c.size[1]} frame, batch 1, {c.precision},"
        f" {c.region}, {counted(c.threads, 'thread')},"
        f" {counted(c.processes, 'fresh process', 'fresh processes')}, {schedule}"
        f" after the trials, on {speed.host.machine}; FPS:"
        " 1000 / mean latency."
    )


def _conditions(speed: Speed) -> tuple[object, ...]:
    """Return the settings that two timings must share to be ranked."""
    both_modes = speed.conditions.model_copy(update={"mode": "clip"})
    return both_modes, speed.host.cpu, speed.host.device


def _flags(speeds: Sequence[tuple[str, Speed]]) -> str:
    """Return the flags of the timings by name, or their counts if there are many."""
    named = [
        f"{label}, {speed.conditions.mode}: {' and '.join(word for word, _ in speed.flags)}"
        for label, speed in speeds
        if speed.flags
    ]
    if len(named) <= NAMED:
        return "; ".join(named)
    words = [word for _, speed in speeds for word, _ in speed.flags]
    said = ", ".join(f"{word} {words.count(word)}" for word in dict.fromkeys(words))
    return f"{said}, of {len(speeds)} timings; see the files in speed/"
