"""The columns of a table of whole systems: measured as the run has it, counted at the published
size, printed in the paper.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msaf_bench.claims.checks import printed
from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry, entries, presets
from msaf_bench.report.cells import NONE, mean_span, millions, number
from msaf_bench.report.second_table import Column, columns
from msaf_bench.spec import METRICS, MODES

#: of what is printed
HEADS = {"miou": "mIoU val", "miou_test": "mIoU test", "tc": "TC", "fps": "FPS"}


@dataclass(frozen=True)
class Group:
    """Columns that were made in one way, under one head; numbers of two groups never share a
    column.
    """

    kind: str  #: "measured", "counted" or "published"
    head: str
    columns: tuple[Column[Entry], ...]


def groups(summary: Summary) -> tuple[Group, ...]:
    """Those that have a column with a number."""
    height, width = summary.conditions.size
    cost = next((entry.cost for entry in entries(summary) if entry.cost), None)
    at = f"Counted as published, {cost.size[0]}x{cost.size[1]}" if cost else ""
    found = (
        Group("measured", f"Measured here, {height}x{width}", tuple(_measured(summary))),
        Group("counted", at, tuple(_counted()) if cost else ()),
        Group("published", "Published", tuple(_published(summary))),
    )
    return tuple(group for group in found if group.columns)


def beside(summary: Summary) -> list[Column[Subject]]:
    """What stands in a second table: other presets of consistency, past frames, cost and latency of
    the networks as run.

    With one seed no interval over frames and no share of draws: they would look like what seeds
    alone can say.
    """
    there = {"FPS clip", "FPS stream"}
    if len(summary.seeds) < 2:
        there |= {"mIoU, other frames", f"ahead of {summary.table.reference}"}
    kept = [column for column in columns(summary) if column.head not in there]
    return [
        Column(
            f"{column.head}, as run" if column.head.startswith("GMAC") else column.head,
            column.text,
            column.values,
        )
        for column in kept
    ]


def _measured(summary: Summary) -> Iterator[Column[Entry]]:
    everyone = entries(summary)
    yield Column("mIoU", lambda e: mean_span(e.found.interval), lambda e: {"measured_miou": e.miou})
    yield from map(_tc, presets(summary)[:1])
    for mode in MODES:
        if any(entry.speed(mode) for entry in everyone):
            yield _fps(mode)
    if any(entry.phases for entry in everyone):
        yield Column(
            "ms key",
            lambda e: number(e.phases and e.phases[0], 1),
            lambda e: {"ms_key": e.phases and e.phases[0]},
        )
        yield Column(
            "ms other",
            lambda e: number(e.phases and e.phases[1], 1),
            lambda e: {"ms_other": e.phases and e.phases[1]},
        )
    if any(entry.peak_mib is not None for entry in everyone):
        yield Column(
            "peak MiB", lambda e: number(e.peak_mib, 0), lambda e: {"peak_mib": e.peak_mib}
        )


def _tc(preset: str) -> Column[Entry]:
    # the second table has the values
    return Column(f"TC {preset}", lambda e: mean_span(e.tc(preset)), lambda e: {})


def _fps(mode: str) -> Column[Entry]:
    def text(entry: Entry) -> str:
        speed = entry.speed(mode)
        return number(entry.fps(mode), 1) + "*" * bool(speed and speed.flags)

    return Column(f"FPS {mode}", text, lambda e: {f"fps_{mode}": e.fps(mode)})


def _counted() -> Iterator[Column[Entry]]:
    for mode in MODES:
        yield _gmac(mode)
    yield Column(
        "params (M)",
        lambda e: millions(e.cost and e.cost.params),
        lambda e: {"published_params": e.cost and e.cost.params},
    )
    yield Column(
        "live MiB",
        lambda e: number(e.cost and e.cost.live_mib, 0),
        lambda e: {"published_live_mib": e.cost and e.cost.live_mib},
    )


def _gmac(mode: str) -> Column[Entry]:
    def text(entry: Entry) -> str:
        macs = entry.macs(mode)
        return (
            NONE
            if macs is None
            else number(macs / 1e9, 1) + "+" * bool(entry.cost and entry.cost.uncounted)
        )

    return Column(f"GMAC {mode}", text, lambda e: {f"published_macs_{mode}": e.macs(mode)})


def _published(summary: Summary) -> Iterator[Column[Entry]]:
    for metric in METRICS:
        if any(metric in entry.printed for entry in entries(summary)):
            yield _printed(metric)


def _printed(metric: str) -> Column[Entry]:
    def text(entry: Entry) -> str:
        value = entry.printed.get(metric)
        return NONE if value is None else printed(metric, value) + "†" * (metric in entry.daggers)

    return Column(HEADS[metric], text, lambda e: {f"published_{metric}": e.printed.get(metric)})
