"""Rows of the table: measurements of each, and its difference to the reference row.

Shapes: K classes, S seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import family_of
from msaf_bench.findings.measures import measures_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.findings.subjects import Measures, RowSummary
from msaf_bench.findings.summary import Constant
from msaf_bench.findings.trials import Result, Trials
from msaf_bench.records import SystemCost
from msaf_bench.spec import System, Table
from msaf_bench.stats import PERCENT, Difference, mean_interval, paired_difference


def rows_of(
    table: Table,
    systems: Mapping[str, System],
    trials: Mapping[str, Trials],
    constant: Constant | None,
    speeds: Mapping[str, Sequence[Speed]],
    costs: Mapping[str, SystemCost],
) -> tuple[RowSummary, ...]:
    """Return every row of the table, compared with the reference row.

    Args:
        table: the table
        systems: by row label; rows without a system are only printed
        trials: by row label
        constant: best constant prediction; None if nothing was scored
        speeds: timings by row label, one per mode
        costs: cost at the published size, by row label
    """
    reference, compared = trials[table.reference].results, _compared(table, trials)
    rows = [_row(table, label, systems, trials[label], constant) for label, _ in table.rows]
    finished: list[RowSummary] = []
    for row in rows:
        measures = measures_of(
            trials[row.label].results, reference, speeds.get(row.label, ()), costs.get(row.label)
        )
        finished.append(replace(row, difference=compared.get(row.label), measures=measures))
    return tuple(finished)


def with_grounds(rows: Sequence[RowSummary], reference: str) -> tuple[RowSummary, ...]:
    """Return the rows, with the reason for each difference that is not comparable."""
    ill = {row.label: row.ill for row in rows}
    return tuple(
        replace(
            row,
            against="; ".join(filter(None, (row.ill, ill[reference]))) if row.difference else "",
        )
        for row in rows
    )


def _row(
    table: Table,
    label: str,
    systems: Mapping[str, System],
    trials: Trials,
    constant: Constant | None,
) -> RowSummary:
    """Return the row without its comparison to the reference row."""
    row, system, values = dict(table.rows)[label], systems.get(label), list(trials.scores.values())
    results = trials.results
    interval = mean_interval(values, within=PERCENT) if values else None
    per_class, per_class_sd = _per_class(results)
    return RowSummary(
        label=label,
        system=system,
        note=row.note,
        ticks=_ticks(table, system, systems[table.reference]),
        published=dict(row.paper).get("miou"),
        runs=trials.outcomes,
        interval=interval,
        per_class=per_class,
        per_class_sd=per_class_sd,
        params=results[0].record.params if results else None,
        difference=None,
        measures=Measures(),
        parts=parts_of([result.record for result in results]),
        clears_constant=(
            interval.low > constant.miou
            if interval and interval.low is not None and constant
            else None
        ),
    )


def _ticks(table: Table, system: System | None, base: System) -> tuple[bool, ...]:
    have, full = dict(system.slots) if system else {}, dict(base.slots)
    return tuple(
        slot in have and slot in full and have[slot].use == full[slot].use
        for _, slot in table.ticks
    )


def _compared(table: Table, trials: Mapping[str, Trials]) -> dict[str, Difference]:
    """Return the difference to the reference row by label."""
    # The family counts planned comparisons, so a crash never makes another difference significant.
    family, reference = family_of(table), trials[table.reference].scores
    gaps = {
        label: paired_difference(row.scores, reference, family=family)
        for label, row in trials.items()
        if label != table.reference
    }
    return {label: gap for label, gap in gaps.items() if gap}


def _per_class(results: Sequence[Result]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean IoU of each class over its finite seeds, and the standard deviation."""
    if not results:
        return (), ()
    scores = np.array([result.iou for result in results])  # (S, K)
    known = np.isfinite(scores)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, scores, 0).sum(0) / count
        spread = np.sqrt(
            (np.where(known, scores - mean, 0) ** 2).sum(0) / np.where(count > 1, count - 1, np.nan)
        )
    return tuple(mean.tolist()), tuple(spread.tolist())
