"""Rank agreement of a table's systems with the paper in accuracy, consistency and speed.

A further pair compares the cost counted here with the printed speed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Literal

from msaf_bench.findings.systems import Entry, presets, timed_alike
from msaf_bench.stats.concordance import Concordance, concordance

Read = Callable[[Entry], float | None]
VAL, TEST = "printed mIoU of val", "printed mIoU of test"


@dataclass(frozen=True)
class Ranking:
    """Agreement of one measured order with one printed order."""

    ours: str
    paper: str
    rows: Literal["comparable", "all"]
    found: Concordance
    verdict: Literal["agrees", "reversed", "undecided", "not comparable"]


def rankings(found: Sequence[Entry]) -> tuple[Ranking, ...]:
    """Return the agreement of each pair of columns that at least two rows have.

    Each pair is ranked over the comparable rows, then over all rows with both numbers. A row is
    comparable if it is the system itself and not one in its style, all its parts are live, and its
    printed number has no dagger. Val and test are never mixed.
    """
    pairs: list[tuple[str, Read, str, str]] = [
        ("mIoU", attrgetter("miou"), VAL, "miou"),
        ("mIoU", attrgetter("miou"), TEST, "miou_test"),
    ]
    pairs += [
        (f"TC {preset}", partial(Entry.tc_mean, preset=preset), "printed TC", "tc")
        for preset in presets(found)
    ]
    if timed_alike(found):
        pairs.append(("FPS stream", _fps, "printed FPS", "fps"))
    pairs.append(("GMAC stream, fewer first", _cheapness, "printed FPS", "fps"))
    return tuple(ranking for pair in pairs for ranking in _both(found, *pair))


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
