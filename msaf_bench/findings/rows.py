"""Rows of the table: what was measured of each, and its difference to the reference row.

Shapes: K classes, S seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from msaf_bench.analyzers.miou import iou_per_class
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import family_of
from msaf_bench.findings.measures import measures_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.findings.subjects import Measures, RowSummary
from msaf_bench.findings.summary import Constant
from msaf_bench.findings.trials import Found, confusion_of
from msaf_bench.records import Record, SystemCost
from msaf_bench.spec import System, Table
from msaf_bench.stats import PERCENT, Difference, mean_interval, paired_difference


def rows_of(
    table: Table,
    systems: Mapping[str, System],
    found: Mapping[str, Found],
    constant: Constant | None,
    speeds: Mapping[str, Sequence[Speed]],
    costs: Mapping[str, SystemCost],
) -> tuple[RowSummary, ...]:
    """Every row of the table, compared with the reference row."""
    reference, compared = found[table.reference].records, _compared(table, found)
    rows = [_row(table, label, systems, found[label], constant) for label, _ in table.rows]
    finished: list[RowSummary] = []
    for row in rows:
        measures = measures_of(
            found[row.label].records, reference, speeds.get(row.label, ()), costs.get(row.label)
        )
        finished.append(replace(row, difference=compared.get(row.label), measures=measures))
    return tuple(finished)


def with_grounds(rows: Sequence[RowSummary], reference: str) -> tuple[RowSummary, ...]:
    """The rows, each with the reason why nothing follows from its difference to the reference row,
    where there is one.
    """
    ill = {row.label: row.ill for row in rows}
    return tuple(
        replace(
            row,
            against="; ".join(filter(None, (row.ill, ill[reference]))) if row.difference else "",
        )
        for row in rows
    )


def _row(
    table: Table, label: str, systems: Mapping[str, System], found: Found, constant: Constant | None
) -> RowSummary:
    """The row by itself."""
    row, system, values = dict(table.rows)[label], systems.get(label), list(found.scores.values())
    interval = mean_interval(values, within=PERCENT) if values else None
    per_class, per_class_sd = _per_class(found.records)
    return RowSummary(
        label=label,
        system=system,
        note=row.note,
        ticks=_ticks(table, system, systems[table.reference]),
        published=dict(row.paper).get("miou"),
        runs=found.runs,
        interval=interval,
        per_class=per_class,
        per_class_sd=per_class_sd,
        params=found.records[0].params if found.records else None,
        loss=_loss(found.records),
        difference=None,
        measures=Measures(),
        parts=parts_of(found.records),
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


def _compared(table: Table, found: Mapping[str, Found]) -> dict[str, Difference]:
    """Difference to the reference row by label. The family is what was planned: a crash never makes
    another difference significant.
    """
    family, reference = family_of(table), found[table.reference].scores
    gaps = {
        label: paired_difference(row.scores, reference, family=family)
        for label, row in found.items()
        if label != table.reference
    }
    return {label: gap for label, gap in gaps.items() if gap}


def _per_class(records: Sequence[Record]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """IoU of each class: its mean over the seeds that have one, and their standard deviation."""
    if not records:
        return (), ()
    scores = 100 * np.array([iou_per_class(confusion_of(record)) for record in records])  # (S, K)
    known = np.isfinite(scores)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, scores, 0).sum(0) / count
        spread = np.sqrt(
            (np.where(known, scores - mean, 0) ** 2).sum(0) / np.where(count > 1, count - 1, np.nan)
        )
    return tuple(mean.tolist()), tuple(spread.tolist())


def _loss(records: Sequence[Record]) -> tuple[tuple[int, float], ...]:
    steps: dict[int, list[float]] = {}
    for record in records:
        for step, loss in record.loss:
            steps.setdefault(step, []).append(loss)
    return tuple((step, float(np.mean(losses))) for step, losses in sorted(steps.items()))
