"""What the paper says of the order of the rows, and the verdicts of our seeds. Shapes: R rows, S seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from msaf_bench.report.findings import Verdict
from msaf_bench.spec import Ordering, Table
from msaf_bench.stats import Agreement, agreement, judge, paired_difference

Scores = Mapping[str, Mapping[int, float]]  # row label -> seed -> mIoU


def verdicts_of(table: Table, scores: Scores, ill: Mapping[str, str]) -> tuple[Verdict, ...]:
    """A verdict on each ordering; `ill` says of a row with a part that is not live why nothing follows from it."""
    printed = _printed(table)
    return tuple(_verdict(ordering, printed, scores, ill) for ordering in _orderings(table))


def _printed(table: Table) -> dict[str, float]:
    return {label: value for label, row in table.rows if (value := dict(row.paper).get("miou")) is not None}


def _orderings(table: Table) -> tuple[Ordering, ...]:
    """The paper's sentences, then what its printed numbers say of the reference row against each other row."""
    printed, reference = _printed(table), table.reference
    said = {frozenset((o.better, o.worse)) for o in table.orderings}
    implied = [
        Ordering(better=max(pair, key=printed.__getitem__), worse=min(pair, key=printed.__getitem__), source="printed numbers")
        for label in printed
        if label in table.built
        and frozenset(pair := (label, reference)) not in said
        and reference in printed
        and printed[label] != printed[reference]
    ]
    return (*table.orderings, *implied)


def _verdict(ordering: Ordering, printed: Mapping[str, float], scores: Scores, ill: Mapping[str, str]) -> Verdict:
    points, ends = ordering.points, (ordering.better, ordering.worse)
    if points is None and all(end in printed for end in ends):
        points = round(printed[ordering.better] - printed[ordering.worse], 6)
    difference = paired_difference(scores[ordering.better], scores[ordering.worse])
    against = "; ".join(ill[end] for end in ends if end in ill)
    decision = "not comparable" if against else judge(difference.interval if difference else None)
    return Verdict(*ends, ordering.source, points, difference, decision, against)


def agreement_of(table: Table, scores: Scores) -> Agreement:
    """Over the rows that have both a printed and a measured number."""
    printed = _printed(table)
    both = [label for label in printed if scores.get(label)]
    return agreement([printed[label] for label in both], by_seed(both, scores))


def by_seed(labels: Sequence[str], scores: Scores) -> NDArray[np.float64]:
    """The scores as (R, S), NaN where a row lacks a seed."""
    seeds = sorted({seed for label in labels for seed in scores[label]})
    return np.array([[scores[label].get(seed, np.nan) for seed in seeds] for label in labels]).reshape(len(labels), len(seeds))
