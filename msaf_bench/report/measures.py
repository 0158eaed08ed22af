"""What records say of a row beside its mIoU: the worth of the past, consistency, cost.

Shapes: N images, K classes, S seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from msaf_bench.analyzers.miou import miou
from msaf_bench.analyzers.speed.measure import Speed
from msaf_bench.records import Consistency, Record
from msaf_bench.report.findings import Measures, RowConsistency
from msaf_bench.stats import Interval, mean_interval, paired_difference
from msaf_bench.stats.bootstrap import Areas, ImageDifference, image_difference, image_interval


def measures_of(records: Sequence[Record], reference: Sequence[Record], speeds: Sequence[Speed] = ()) -> Measures:
    """All of it for one row; `reference` are the records of the row that all are compared with."""
    if not records:
        return Measures(speeds=tuple(speeds))
    return Measures(
        images=images_of(records),
        image_difference=image_difference_of(records, reference),
        past=past_of(records),
        consistency=consistency_of(records, reference),
        cost=next((r.cost for r in records if r.cost), None),
        speeds=tuple(speeds),
    )


def images_of(records: Sequence[Record]) -> Interval | None:
    """The mIoU's interval when images and seeds are drawn again."""
    areas = _areas(records)
    return image_interval(list(areas.values())) if areas else None


def image_difference_of(records: Sequence[Record], reference: Sequence[Record]) -> ImageDifference | None:
    """Row minus reference row when images and seeds are drawn again; None for the reference itself."""
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
    """What the mIoU loses with the newest frame in place of its history, over seeds; None where no record has both."""
    gaps = [miou(r.confusion.unpack().sum(0)) - miou(r.still.unpack().sum(0)) for r in records if r.confusion and r.still]
    return mean_interval(gaps) if gaps else None


def consistency_of(records: Sequence[Record], reference: Sequence[Record]) -> tuple[RowConsistency, ...]:
    """A row's consistency under each preset, and its difference to the reference row's."""
    own, other = _by_preset(records), _by_preset(reference)
    return tuple(_consistency(seeds, other.get(preset, {}), same=records is reference) for preset, seeds in own.items())


def _by_preset(records: Sequence[Record]) -> dict[str, dict[int, Consistency]]:
    found: dict[str, dict[int, Consistency]] = {}
    for record in records:
        for one in record.consistency:
            found.setdefault(one.preset, {})[record.trial.seed] = one
    return found


def _consistency(own: Mapping[int, Consistency], other: Mapping[int, Consistency], *, same: bool) -> RowConsistency:
    first = next(iter(own.values()))
    values, theirs = _values(own), _values(other)
    names = tuple(name for name, _ in first.controls)
    controls = {name: [v for c in own.values() if (v := dict(c.controls).get(name)) is not None] for name in names}
    return RowConsistency(
        preset=first.preset,
        flow=first.flow,
        interval=mean_interval(list(values.values())) if values else None,
        reason=first.reason,
        difference=None if same else paired_difference(values, theirs),
        controls=tuple((name, float(np.mean(found)) if found else None) for name, found in controls.items()),
    )


def _values(seeds: Mapping[int, Consistency]) -> dict[int, float]:
    return {seed: c.value for seed, c in seeds.items() if c.value is not None}
