"""Rank agreement of a table's systems with the paper: accuracy, consistency, speed, and whether
cost explains the printed speed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Literal

from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry, entries, presets, timed_alike
from msaf_bench.report.cells import MINUS
from msaf_bench.stats.concordance import LEAST, Concordance, concordance

Read = Callable[[Entry], float | None]
VAL, TEST = "printed mIoU of val", "printed mIoU of test"


@dataclass(frozen=True)
class Ranking:
    """How far one order of ours agrees with one that the paper prints."""

    ours: str
    paper: str
    rows: Literal["comparable", "all"]
    found: Concordance
    verdict: Literal["agrees", "reversed", "undecided", "not comparable"]


def rankings(summary: Summary) -> tuple[Ranking, ...]:
    """Each pair of columns over the rows where it is comparable, then over all that have both
    numbers; none for a pair without two rows.

    Comparable: the system itself, not one in its style, all parts live, and no dagger at the
    printed number. Val and test are never mixed.
    """
    found = entries(summary)
    pairs: list[tuple[str, Read, str, str]] = [
        ("mIoU", attrgetter("miou"), VAL, "miou"),
        ("mIoU", attrgetter("miou"), TEST, "miou_test"),
    ]
    pairs += [
        (f"TC {preset}", partial(Entry.tc_mean, preset=preset), "printed TC", "tc")
        for preset in presets(summary)
    ]
    if timed_alike(summary):
        pairs.append(("FPS stream", _fps, "printed FPS", "fps"))
    pairs.append(("GMAC stream, fewer first", _cheapness, "printed FPS", "fps"))
    return tuple(ranking for pair in pairs for ranking in _both(found, *pair))


def legend(shown: Sequence[Ranking]) -> list[str]:
    """How to read them."""
    lines = [
        (
            f"tau-b: Kendall's, of two orders of the rows: 1 the same, 0 unrelated, {MINUS}1"
            " reversed. Ours: mean over seeds."
        ),
        "Interval: 95 %, rows drawn again (bootstrap); p: two-sided, by permuting the rows.",
        (
            "Agrees, reversed: the whole interval lies on one side of 0; undecided: it does not,"
            f" or no interval below {LEAST} rows."
        ),
        (
            "Comparable: the system itself, not in its style, every part live, no dagger at the"
            " printed number; nothing follows from all rows."
        ),
    ]
    if any(ranking.paper == "printed FPS" for ranking in shown):
        lines.append(
            "Printed FPS: all rows mix hardware and frame sizes; of the comparable ones the paper"
            " does not name the hardware."
        )
    return lines


def _both(found: Sequence[Entry], ours: str, read: Read, paper: str, metric: str) -> list[Ranking]:
    known = [entry for entry in found if metric in entry.printed and read(entry) is not None]
    clean = [
        entry
        for entry in known
        if metric not in entry.daggers and not entry.style and not entry.found.dead
    ]
    shown: list[Ranking] = []
    if len(clean) > 1:
        among = _concordance(clean, read, metric)
        shown.append(Ranking(ours, paper, "comparable", among, among.decision))
    if len(known) > max(1, len(clean)):
        shown.append(
            Ranking(ours, paper, "all", _concordance(known, read, metric), "not comparable")
        )
    return shown


def _concordance(found: Sequence[Entry], read: Read, metric: str) -> Concordance:
    return concordance(
        [value for entry in found if (value := read(entry)) is not None],
        [entry.printed[metric] for entry in found],
    )


def _fps(entry: Entry) -> float | None:
    return entry.fps("stream") if entry.ranked else None


def _cheapness(entry: Entry) -> float | None:
    macs = entry.macs("stream")
    return None if macs is None else -macs
