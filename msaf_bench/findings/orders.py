"""Verdicts of our seeds on the paper's orderings of the rows. Shapes: R rows, S seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from msaf_bench.catalog import family_of, orderings_of, printed_miou
from msaf_bench.findings.summary import Verdict
from msaf_bench.findings.wording import other_conditions, word_of
from msaf_bench.spec import Conditions, Table
from msaf_bench.stats import Agreement, agreement, judge, paired_difference

Scores = Mapping[str, Mapping[int, float]]  # row label -> seed -> mIoU


def verdicts_of(
    table: Table, scores: Scores, ill: Mapping[str, str], conditions: Conditions
) -> tuple[Verdict, ...]:
    """Return a verdict on each ordering, with simultaneous intervals over the whole table.

    Args:
        table: the table with its orderings
        scores: mIoU in percent by row label and seed
        ill: faults by row label, for rows with a part that is not live
        conditions: conditions of the run
    """
    printed, family = printed_miou(table), family_of(table)
    here = bool(other_conditions(conditions, table))
    found: list[Verdict] = []
    for ordering in orderings_of(table):
        points, ends = ordering.points, (ordering.better, ordering.worse)
        if points is None and all(end in printed for end in ends):
            points = round(printed[ordering.better] - printed[ordering.worse], 6)
        difference = paired_difference(
            scores[ordering.better], scores[ordering.worse], family=family
        )
        against = "; ".join(ill[end] for end in ends if end in ill)
        decision = judge(difference.interval if difference else None, table.margin)
        word = "not comparable" if against else word_of(decision, here=here)
        found.append(
            Verdict(
                *ends,
                ordering.source,
                points,
                difference,
                decision,
                word,
                against,
                table.margin,
                ordering.part,
            )
        )
    return tuple(found)


def agreement_of(table: Table, scores: Scores) -> Agreement:
    """Return the rank agreement over the rows with both a printed and a measured mIoU."""
    printed = printed_miou(table)
    both = [label for label in printed if scores.get(label)]
    return agreement([printed[label] for label in both], by_seed(both, scores))


def by_seed(labels: Sequence[str], scores: Scores) -> NDArray[np.float64]:
    """Return the scores as an array (R, S), with NaN for missing seeds."""
    seeds = sorted({seed for label in labels for seed in scores[label]})
    return np.array(
        [[scores[label].get(seed, np.nan) for seed in seeds] for label in labels]
    ).reshape(len(labels), len(seeds))
