"""The table beside the table: other frames, consistency, the contribution of past frames, cost and
speed of every row and control.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.subjects import NOT_LIVE, RowConsistency, RowSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.report.cells import NONE, mean_span, number, span
from msaf_bench.spec import MODES
from msaf_bench.stats import Interval

PAST_LEGEND = "Contribution of past frames: mIoU minus the mIoU with the newest frame repeated."
#: of temporal consistency, as they are named
CONTROLS = {"truth": "ground truth", "constant": "constant prediction"}
NAMED = 20  #: flagged times above which they are counted and not named
Value = str | int | float | None
Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: as text with its interval, and as plain values for the CSV."""

    head: str
    text: Callable[[Row], str]
    values: Callable[[Row], dict[str, Value]]


def columns(summary: Summary) -> list[Column[Subject]]:
    """The columns that the records can fill, in the order of the table."""
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
    presets = dict.fromkeys(c.preset for row in rows for c in row.measures.consistency)
    found += [column for preset in presets for column in _consistency(preset)]
    if any(row.measures.past for row in rows):
        found.append(
            Column(
                "past frames",
                lambda r: mean_span(r.measures.past, signed=True),
                lambda r: _values("past", r.measures.past),
            )
        )
    found += [_cost(mode) for mode in MODES if any(row.measures.cost for row in rows)]
    found += [
        column
        for mode in MODES
        if any(row.measures.speed(mode) for row in rows)
        for column in _speed(mode)
    ]
    return found


def legend(summary: Summary, shown: Sequence[Column[Subject]]) -> list[str]:
    """What each column is, in a sentence; controls are said here, since they do not depend on the
    row.
    """
    heads = {column.head for column in shown}
    kept = next(
        (row.measures.consistency for row in summary.measured if row.measures.consistency), ()
    )
    lines = [_consistency_sentence(c) for c in kept]
    if kept:
        lines.append(
            "No warp: what the same predictions have under the preset if nothing is warped."
        )
    if "past frames" in heads:
        lines.append(PAST_LEGEND)
    if "mIoU, other frames" in heads:
        lines.append(
            "Other frames: 95 % interval of the mIoU for other frames (bootstrap) and other seeds"
            " (Student), as if frames were independent; neighbours in a video are not, so it is too"
            " narrow. Of one seed it is that of one network."
        )
    if any(head.startswith("ahead of") for head in heads):
        lines.append(
            "Ahead: share of the draws of frames in which the row beats the reference row."
        )
    if any(row.measures.cost for row in summary.rows):
        lines.append(
            "GMAC: multiply-accumulates of one result (1 MAC = 2 FLOPs), counted on shapes;"
            " elementwise work is not in them."
        )
    lines += _speed_sentences(
        [(row.label, speed) for row in summary.rows for speed in row.measures.speeds]
    )
    if any(row.measures.cost or row.measures.speeds for row in summary.rows):
        lines.append(
            "Clip: all frames of the window are computed; stream: one more frame, what the past"
            " frames gave is kept."
        )
    return lines


def _consistency(preset: str) -> list[Column[Subject]]:
    """The preset's number, and what the same predictions have without any warp."""

    def of(row: Subject) -> RowConsistency | None:
        return next((c for c in row.measures.consistency if c.preset == preset), None)

    def interval(row: Subject) -> Interval | None:
        return (found := of(row)) and found.interval

    def still(row: Subject) -> float | None:
        return dict(found.controls).get("no_warp") if (found := of(row)) else None

    name = f"tc_{preset}"
    return [
        Column(
            f"TC {preset}", lambda r: mean_span(interval(r)), lambda r: _values(name, interval(r))
        ),
        Column("no warp", lambda r: number(still(r)), lambda r: {f"{name}_no_warp": still(r)}),
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
        return number(p50(row)) + "*" * bool(speed and speed.flags)

    return [
        Column(f"ms {mode}", text, lambda r: {f"ms_{mode}": p50(r)}),
        Column(f"FPS {mode}", lambda r: number(fps(r), 1), lambda r: {f"fps_{mode}": fps(r)}),
    ]


def _ahead(row: Subject) -> str:
    better = _better(row)
    mark = f" {NOT_LIVE}" * bool(isinstance(row, RowSummary) and row.against)
    return NONE if better is None else f"{number(100 * better, 0)} %{mark}"


def _better(row: Subject) -> float | None:
    return row.measures.image_difference and row.measures.image_difference.better


def _values(name: str, interval: Interval | None) -> dict[str, Value]:
    return {name: interval and interval.mean, **_bounds(name, interval)}


def _bounds(name: str, interval: Interval | None) -> dict[str, Value]:
    return {f"{name}_low": interval and interval.low, f"{name}_high": interval and interval.high}


def _consistency_sentence(c: RowConsistency) -> str:
    controls = ", ".join(
        f"{CONTROLS.get(name, name.replace('_', ' '))} {number(value)}"
        for name, value in c.controls
        if name != "no_warp"
    )
    said = f"TC {c.preset}: temporal consistency in percent, flow {c.flow}"
    said += (
        ", without the pixels that are read across a true edge"
        if (c.flow, c.preset) == ("exact", "clean")
        else ""
    )
    return f"{said}; {c.reason}." if c.interval is None else f"{said}. Controls: {controls}."


def _speed_sentences(speeds: list[tuple[str, Speed]]) -> list[str]:
    if not speeds:
        return []
    _, first = speeds[0]
    c = first.conditions
    timed = (
        f"ms: median latency of a {c.size[0]}x{c.size[1]} frame, batch 1, {c.precision},"
        f" {c.region}, {c.threads} thread{'s' * (c.threads > 1)}, {c.processes} fresh"
        f" process{'es' * (c.processes > 1)},"
        f" {'in interleaved rounds with the other rows' if c.schedule == 'rounds' else 'alone'}"
        f" after the trials, on {first.host.cpu if c.device == 'cpu' else first.host.device}; FPS:"
        " 1000 / mean latency."
    )
    lines = [timed]
    if (
        len(
            {
                (s.conditions.model_copy(update={"mode": "clip"}), s.host.cpu, s.host.device)
                for _, s in speeds
            }
        )
        > 1
    ):
        lines.append(
            "Not all rows were timed on one machine under the same conditions: their ms and FPS are"
            " not to be ranked."
        )
    if flagged := [
        f"{label}, {s.conditions.mode}: {' and '.join(word for word, _ in s.flags)}"
        for label, s in speeds
        if s.flags
    ]:
        said = (
            "; ".join(flagged)
            if len(flagged) <= NAMED
            else _counted([word for _, s in speeds for word, _ in s.flags], len(speeds))
        )
        lines.append(f"* what speaks against a time: {said}.")
    return lines + [
        f"{label}, {speed.conditions.mode}: not timed: {speed.reason}."
        for label, speed in speeds
        if speed.reason
    ]


def _counted(words: Sequence[str], times: int) -> str:
    """How often each word was said."""
    said = ", ".join(f"{word} {words.count(word)}" for word in dict.fromkeys(words))
    return f"{said}, of {times} times; the files in speed/ say which"
