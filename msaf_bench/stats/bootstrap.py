"""Uncertainty of mIoU for other images and seeds: bootstrap over images, Student's t over seeds.

mIoU is a ratio of sums over all images, so images are resampled, never their scores. The draws are
fixed: equal data give equal intervals. Resampling a few seeds would underestimate their spread, so
Student's t is used for seeds. The two errors add in squares.

Shapes: N images, K classes, S seeds, B resamples, V = networks × seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.stats.intervals import PERCENT, POINTS, Interval, mean_interval

Floats = NDArray[np.float64]
CHUNK = 1000  #: resamples processed at a time, so that memory does not grow with their number
BATCH = 16  #: networks × seeds processed at a time, to limit memory too
NUMBERS = 2**24  #: most values in an array; chunks and batches shrink for many images and classes


class Areas(NamedTuple):
    """Number of pixels in intersection and union of prediction and truth, (N, K) each."""

    intersections: NDArray[np.integer[Any]]
    unions: NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ImageDifference:
    """Difference of two mIoU, with both networks on the same images and seeds."""

    interval: Interval
    #: share of resamples in which the first network is better; a tie counts half
    better: float
    images: int
    seeds: int


def image_weights(images: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the count (B, N) of each image in each resample of N images with replacement."""
    drawn = rng.integers(0, images, (resamples, images)) + images * np.arange(resamples)[:, None]
    return (
        np.bincount(drawn.ravel(), minlength=resamples * images)
        .reshape(resamples, images)
        .astype(np.float64)
    )


def weighted_miou(intersections: Floats, unions: Floats, weights: Floats) -> Floats:
    """Return the mIoU in percent (B, V) of areas (V, N, K) with image weights (B, N).

    The mean is over the classes that occur in the resample; NaN if none occurs.
    """
    networks, images, classes = intersections.shape
    columns = np.concatenate([intersections, unions]).transpose(1, 0, 2).reshape(images, -1)
    sums = (weights @ columns).reshape(len(weights), 2, networks, classes)
    hit, union = sums[:, 0], sums[:, 1]
    iou = np.divide(hit, union, out=np.zeros_like(hit), where=union > 0)
    count = (union > 0).sum(-1)
    return 100 * np.where(count > 0, iou.sum(-1) / np.maximum(count, 1), np.nan)


def image_interval(
    seeds: Sequence[Areas], *, level: float = 0.95, resamples: int = 10_000
) -> Interval:
    """Return the mean mIoU over seeds in percent, with an interval for other images and seeds.

    `n` is the number of images, `sd` the standard error. For a single seed, the interval is for
    that network only. Every seed scores the same images, so all seeds share the same draws. With
    separate draws, the error of the images would seem to shrink with the number of seeds. Source:
    Owen 2007, crossed random effects.
    """
    by_seed, drawn = _resampled([seeds], resamples)
    return _interval(by_seed[0], drawn[:, 0], len(seeds[0].intersections), level, PERCENT)


def image_difference(
    a: Mapping[int, Areas], b: Mapping[int, Areas], *, level: float = 0.95, resamples: int = 10_000
) -> ImageDifference | None:
    """Return the mIoU of a minus the mIoU of b in points, paired by seed and image.

    For a single shared seed, the interval is for these two networks only.

    Args:
        a: Areas of the first network by seed.
        b: Areas of the second network by seed.
        level: Level of the interval.
        resamples: Number of resamples of the images.

    Returns:
        The difference over the shared seeds; None without a shared seed.

    Raises:
        ValueError: If the two have different numbers of images or classes.
    """
    shared = sorted(a.keys() & b.keys())
    if not shared:
        return None
    by_seed, drawn = _resampled(
        [[a[seed] for seed in shared], [b[seed] for seed in shared]], resamples
    )
    gaps, images = drawn[:, 0] - drawn[:, 1], len(a[shared[0]].intersections)
    known = gaps[np.isfinite(gaps)]
    better = float(((known > 0) + 0.5 * (known == 0)).mean()) if known.size else float("nan")
    return ImageDifference(
        _interval(by_seed[0] - by_seed[1], gaps, images, level, POINTS), better, images, len(shared)
    )


def _resampled(networks: Sequence[Sequence[Areas]], resamples: int) -> tuple[Floats, Floats]:
    """Return the observed mIoU (networks, S), and the means over seeds (B, networks) of resamples.

    Raises `ValueError` if the areas differ in shape.
    """
    flat = [areas for seeds in networks for areas in seeds]
    if len({areas.intersections.shape for areas in flat}) != 1:
        raise ValueError("a paired bootstrap needs the same images and classes for all networks")
    shape, images = (len(networks), len(networks[0])), len(flat[0].intersections)
    rng = np.random.default_rng(0)
    chunks: list[Floats] = []
    chunk = max(1, min(CHUNK, NUMBERS // max(1, images)))
    for begin in range(0, resamples, chunk):
        weights = image_weights(images, min(chunk, resamples - begin), rng)
        chunks.append(_miou(flat, weights).reshape(-1, *shape).mean(-1))
    return _miou(flat, np.ones((1, images))).reshape(shape), np.concatenate(chunks)


def _miou(flat: Sequence[Areas], weights: Floats) -> Floats:
    """Return `weighted_miou` for any number of areas in batches: weights (B, N) -> (B, V)."""
    size = max(1, min(BATCH, NUMBERS // max(1, 2 * flat[0].unions.size)))
    batches = [flat[begin : begin + size] for begin in range(0, len(flat), size)]
    return np.concatenate(
        [
            weighted_miou(
                np.stack([areas.intersections for areas in batch]).astype(np.float64),
                np.stack([areas.unions for areas in batch]).astype(np.float64),
                weights,
            )
            for batch in batches
        ],
        axis=1,
    )


def _interval(
    by_seed: Floats, drawn: Floats, images: int, level: float, within: tuple[float, float]
) -> Interval:
    """Combine the error of the images, from the draws, with that of the seeds, from their spread.

    Args:
        by_seed: Observed values (S,).
        drawn: Means over seeds of each resample (B,).
        images: Number of images.
        level: Level of the interval.
        within: Range of the values; the interval is clipped to it.
    """
    estimate, known = float(by_seed.mean()), drawn[np.isfinite(drawn)]
    if images < 2 or known.size < 2:
        return Interval(estimate, None, None, None, images)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    seeds = mean_interval(by_seed.tolist(), level) if by_seed.size > 1 else None
    half = seeds.high - estimate if seeds and seeds.high is not None else 0.0
    error = seeds.sd / by_seed.size**0.5 if seeds and seeds.sd is not None else 0.0
    below, above = float(np.hypot(estimate - low, half)), float(np.hypot(high - estimate, half))
    sd = float(np.hypot(known.std(ddof=1), error))
    return Interval(
        estimate, max(within[0], estimate - below), min(within[1], estimate + above), sd, images
    )
