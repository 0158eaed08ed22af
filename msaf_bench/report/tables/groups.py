"""Columns of a table of whole systems: measured here, counted as published, printed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from msaf_bench.claims.paper import printed
from msaf_bench.findings.digits import NONE, mean_span, millions, number
from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry, presets
from msaf_bench.report.tables.columns import Column, flagged
from msaf_bench.spec import METRICS, MODES

#: heads of the printed columns
HEADS = {"miou": "mIoU val", "miou_test": "mIoU test", "tc": "TC", "fps": "FPS"}


@dataclass(frozen=True)
class Group:
    """Columns of one origin under a common head; two origins never share a column."""

    kind: str  #: "measured", "counted" or "published"
    head: str
    columns: tuple[Column[Entry], ...]


def groups(summary: Summary, everyone: Sequence[Entry]) -> tuple[Group, ...]:
    """Return the groups with at least one column of numbers."""
    height, width = summary.conditions.size
    cost = next((entry.cost for entry in everyone if entry.cost), None)
    at = f"Counted as published, {cost.size[0]}x{cost.size[1]}" if cost else ""
    found = (
        Group("measured", f"Measured here, {height}x{width}", tuple(_measured(everyone))),
        Group("counted", at, tuple(_counted()) if cost else ()),
        Group("published", "Published", tuple(_published(everyone))),
    )
    return tuple(group for group in found if group.columns)


def second_columns(
    summary: Summary, columns: Sequence[Column[Subject]]
) -> tuple[Column[Subject], ...]:
    """Return the columns of the second table: consistency, past frames, cost and latency as run.

    With one seed, intervals and shares over frames are left out, since they could be taken for
    intervals over seeds.
    """
    there = {"FPS clip", "FPS stream"}
    if len(summary.seeds) < 2:
        there |= {"mIoU, other frames", f"ahead of {summary.table.reference}"}
    return tuple(
        replace(column, head=f"{column.head}, as run") if column.head.startswith("GMAC") else column
        for column in columns
        if column.head not in there
    )


def _measured(everyone: Sequence[Entry]) -> Iterator[Column[Entry]]:
    yield Column("mIoU", lambda e: mean_span(e.found.interval), lambda e: {"measured_miou": e.miou})
    yield from map(_tc, presets(everyone)[:1])
    for mode in MODES:
        if any(entry.speed(mode) for entry in everyone):
            yield _fps(mode)
    if any(entry.phases for entry in everyone):
        yield _plain("ms key", "ms_key", lambda e: e.phases[0] if e.phases else None, 1)
        yield _plain("ms other", "ms_other", lambda e: e.phases[1] if e.phases else None, 1)
    if any(entry.peak_mib is not None for entry in everyone):
        yield _plain("peak MiB", "peak_mib", lambda e: e.peak_mib, 0)


def _plain(
    head: str, name: str, read: Callable[[Entry], float | None], digits: int
) -> Column[Entry]:
    """Return a column of numbers without intervals."""
    return Column(head, lambda e: number(read(e), digits), lambda e: {name: read(e)})


def _tc(preset: str) -> Column[Entry]:
    # the CSV takes its values from the second table
    return Column(f"TC {preset}", lambda e: mean_span(e.tc(preset)), lambda e: {})


def _fps(mode: str) -> Column[Entry]:
    return Column(
        f"FPS {mode}",
        lambda e: number(e.fps(mode), 1) + flagged(e.speed(mode)),
        lambda e: {f"fps_{mode}": e.fps(mode)},
    )


def _counted() -> Iterator[Column[Entry]]:
    for mode in MODES:
        yield _gmac(mode)
    yield Column(
        "params (M)",
        lambda e: millions(e.cost.params if e.cost else None),
        lambda e: {"published_params": e.cost.params if e.cost else None},
    )
    yield _plain("live MiB", "published_live_mib", lambda e: e.cost.live_mib if e.cost else None, 0)


def _gmac(mode: str) -> Column[Entry]:
    def text(entry: Entry) -> str:
        macs = entry.macs(mode)
        if macs is None:
            return NONE
        more = "+" if entry.cost and entry.cost.uncounted else ""
        return number(macs / 1e9, 1) + more

    return Column(f"GMAC {mode}", text, lambda e: {f"published_macs_{mode}": e.macs(mode)})


def _published(everyone: Sequence[Entry]) -> Iterator[Column[Entry]]:
    for metric in METRICS:
        if any(metric in entry.printed for entry in everyone):
            yield _printed(metric)


def _printed(metric: str) -> Column[Entry]:
    def text(entry: Entry) -> str:
        if metric not in entry.printed:
            return NONE
        dagger = "†" if metric in entry.daggers else ""
        return printed(metric, entry.printed[metric]) + dagger

    return Column(HEADS[metric], text, lambda e: {f"published_{metric}": e.printed.get(metric)})
