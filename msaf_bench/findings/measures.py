"""Measurements of a row beside its mIoU: the contribution of past frames, consistency, cost.

Shapes: N images, K classes, S seeds.
"""

from collections.abc import Sequence

import numpy as np

from msaf_bench.analyzers.miou import miou
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.subjects import Measures, RowConsistency
from msaf_bench.records import Consistency, Record, SystemCost
from msaf_bench.stats import PERCENT, POINTS, Interval, mean_interval
from msaf_bench.stats.bootstrap import Areas, ImageDifference, image_difference, image_interval


def measures_of(
    records: Sequence[Record],
    reference: Sequence[Record],
    speeds: Sequence[Speed] = (),
    published_cost: SystemCost | None = None,
) -> Measures:
    """All of it for one row; `reference` are the records of the row that all are compared with."""
    if not records:
        return Measures(speeds=tuple(speeds), published_cost=published_cost)
    return Measures(
        images=images_of(records),
        image_difference=image_difference_of(records, reference),
        past=past_of(records),
        consistency=consistency_of(records),
        cost=next((r.cost for r in records if r.cost), None),
        speeds=tuple(speeds),
        published_cost=published_cost,
    )


def images_of(records: Sequence[Record]) -> Interval | None:
    """The mIoU's interval for other images and other seeds."""
    areas = _areas(records)
    return image_interval(list(areas.values())) if areas else None


def image_difference_of(
    records: Sequence[Record], reference: Sequence[Record]
) -> ImageDifference | None:
    """Row minus reference row with other images and other seeds; None for the reference itself."""
    return None if records is reference else image_difference(_areas(records), _areas(reference))


def _areas(records: Sequence[Record]) -> dict[int, Areas]:
    found: dict[int, Areas] = {}
    for record in records:
        if record.confusion:
            matrices = record.confusion.unpack()
            hit = np.diagonal(matrices, axis1=1, axis2=2)
            found[record.trial.seed] = Areas(hit, matrices.sum(1) + matrices.sum(2) - hit)
    return found


def past_of(records: Sequence[Record]) -> Interval | None:
    """Contribution of past frames over seeds: mIoU minus the mIoU with the newest frame repeated;
    None where no record has both.
    """
    gaps = [
        miou(r.confusion.unpack().sum(0)) - miou(r.still.unpack().sum(0))
        for r in records
        if r.confusion and r.still
    ]
    return mean_interval(gaps, within=POINTS) if gaps else None


def consistency_of(records: Sequence[Record]) -> tuple[RowConsistency, ...]:
    """A row's consistency under each preset."""
    by_preset: dict[str, list[Consistency]] = {}
    for record in records:
        for found in record.consistency:
            by_preset.setdefault(found.preset, []).append(found)
    return tuple(_over_seeds(found) for found in by_preset.values())


def _over_seeds(found: Sequence[Consistency]) -> RowConsistency:
    values = [c.value for c in found if c.value is not None]
    controls = {
        name: [v for c in found if (v := dict(c.controls).get(name)) is not None]
        for name, _ in found[0].controls
    }
    return RowConsistency(
        preset=found[0].preset,
        flow=found[0].flow,
        interval=mean_interval(values, within=PERCENT) if values else None,
        reason=found[0].reason,
        controls=tuple((name, float(np.mean(of)) if of else None) for name, of in controls.items()),
    )
