"""Measurements of a row besides its mIoU: contribution of past frames, consistency, cost.

Shapes: N images, K classes, S seeds.
"""

from collections.abc import Sequence

import numpy as np

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.findings.subjects import Measures, RowConsistency
from msaf_bench.findings.trials import Result
from msaf_bench.findings.validation import SeedCurve, Validation
from msaf_bench.records import Consistency, SystemCost
from msaf_bench.stats import PERCENT, POINTS, Interval, mean_interval
from msaf_bench.stats.bootstrap import Areas, ImageDifference, image_difference, image_interval


def measures_of(
    results: Sequence[Result],
    reference: Sequence[Result],
    speeds: Sequence[Speed] = (),
    published_cost: SystemCost | None = None,
) -> Measures:
    """Return the measurements of one row.

    Args:
        results: finished trials of the row, one per seed
        reference: finished trials of the reference row
        speeds: timings of the row, one per mode
        published_cost: cost of the system at its published size
    """
    if not results:
        return Measures(speeds=tuple(speeds), published_cost=published_cost)
    return Measures(
        images=images_of(results),
        image_difference=image_difference_of(results, reference),
        past=past_of(results),
        consistency=consistency_of(results),
        cost=next((result.record.cost for result in results if result.record.cost), None),
        speeds=tuple(speeds),
        published_cost=published_cost,
        validation=validation_of(results),
    )


def images_of(results: Sequence[Result]) -> Interval | None:
    """Return the mIoU with an interval for other images and seeds (`image_interval`)."""
    areas = _areas(results)
    return image_interval(list(areas.values())) if areas else None


def image_difference_of(
    results: Sequence[Result], reference: Sequence[Result]
) -> ImageDifference | None:
    """Return row minus reference row, with an interval for other images and seeds.

    None for the reference row itself.
    """
    return None if results is reference else image_difference(_areas(results), _areas(reference))


def _areas(results: Sequence[Result]) -> dict[int, Areas]:
    """Return the areas by seed."""
    return {each.record.trial.seed: each.areas for each in results if each.areas}


def past_of(results: Sequence[Result]) -> Interval | None:
    """Return the contribution of past frames over seeds; None if no record has both scores.

    The contribution is the mIoU minus the mIoU with the newest frame repeated.
    """
    gaps = [result.past for result in results if result.past is not None]
    return mean_interval(gaps, within=POINTS) if gaps else None


def validation_of(results: Sequence[Result]) -> Validation | None:
    """Return the validation curves of a row or control; None without validation."""
    curves = tuple(
        SeedCurve(
            seed=record.trial.seed,
            points=record.validation,
            kept_step=record.kept_step or record.validation[-1][0],
        )
        for record in (result.record for result in results)
        if record.validation
    )
    return Validation(curves) if curves else None


def consistency_of(results: Sequence[Result]) -> tuple[RowConsistency, ...]:
    """Return the row's temporal consistency, one entry per preset."""
    by_preset: dict[str, list[tuple[int, Consistency]]] = {}
    for result in results:
        for measured in result.record.consistency:
            by_preset.setdefault(measured.preset, []).append((result.record.trial.seed, measured))
    return tuple(_over_seeds(of_preset) for of_preset in by_preset.values())


def _over_seeds(measured: Sequence[tuple[int, Consistency]]) -> RowConsistency:
    first = measured[0][1]
    by_seed = tuple((seed, c.value) for seed, c in measured if c.value is not None)
    values = [value for _, value in by_seed]
    controls: dict[str, list[float]] = {name: [] for name, _ in first.controls}
    for _, c in measured:
        for name, value in c.controls:
            if name in controls and value is not None:
                controls[name].append(value)
    return RowConsistency(
        preset=first.preset,
        flow=first.flow,
        interval=mean_interval(values, within=PERCENT) if values else None,
        reason=first.reason,
        controls=tuple(
            (name, float(np.mean(known)) if known else None) for name, known in controls.items()
        ),
        by_seed=by_seed,
    )
