"""What other images and other seeds might have given: the bootstrap of mIoU over images, with
Student's t over seeds.

mIoU is a ratio of sums over all images, so images are drawn again, never their scores. The draws
are fixed: equal data give equal intervals. A handful of seeds drawn again spreads less than seeds
do, so their part is Student's; the two parts add in squares. Shapes: N images, K classes, S seeds,
B resamples, V = networks × seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.stats.intervals import PERCENT, POINTS, Interval, mean_interval

Floats = NDArray[np.float64]
CHUNK = 1000  #: resamples at a time, so that memory does not grow with their number
BATCH = 16  #: networks × seeds at a time, for the same reason
NUMBERS = 2**24  #: in one array: of many images and classes less is worked on at a time


class Areas(NamedTuple):
    """Pixels by image and class, both (N, K): where prediction and truth agree on the class, and
    where either has it.
    """

    intersections: NDArray[np.integer[Any]]
    unions: NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ImageDifference:
    """A difference of two mIoU with other images and other seeds, both networks on the same
    ones.
    """

    interval: Interval
    #: share of the draws of images in which the first network is ahead; a tie counts half
    better: float
    images: int
    seeds: int


def image_weights(images: int, resamples: int, rng: np.random.Generator) -> Floats:
    """(B, N): how often each image is in each resample of N images with replacement, a multinomial
    draw.
    """
    drawn = rng.integers(0, images, (resamples, images)) + images * np.arange(resamples)[:, None]
    return (
        np.bincount(drawn.ravel(), minlength=resamples * images)
        .reshape(resamples, images)
        .astype(np.float64)
    )


def weighted_miou(intersections: Floats, unions: Floats, weights: Floats) -> Floats:
    """Areas (V, N, K) and weights (B, N) -> mIoU in percent (B, V), over the classes that occur in
    the resample; NaN where none does.
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
    """The mean mIoU over the seeds in percent, with the interval for other images and, from two
    seeds on, for other seeds.

    `n` is the number of images, `sd` the standard error. Of one seed the interval is one for that
    network alone. Every seed scores the same images, so one draw of images serves all seeds: drawn
    anew for each, the error of the images would seem to shrink with the number of seeds. Source:
    Owen 2007, crossed random effects.
    """
    by_seed, drawn = _resampled([seeds], resamples)
    return _interval(by_seed[0], drawn[:, 0], len(seeds[0].intersections), level, PERCENT)


def image_difference(
    a: Mapping[int, Areas], b: Mapping[int, Areas], *, level: float = 0.95, resamples: int = 10_000
) -> ImageDifference | None:
    """The mIoU of a minus that of b, in points, over the seeds that both have (seed -> areas),
    paired by seed and image; None where they share none. Of one seed the interval is one for these
    two networks alone.

    Raises `ValueError` where the two were scored on different numbers of images.
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
    """The networks' mIoU by seed as observed, and their means over the S seeds on other images:
    (networks, S) and (B, networks).
    """
    flat = [areas for seeds in networks for areas in seeds]
    if len({areas.intersections.shape for areas in flat}) != 1:
        raise ValueError("a paired bootstrap needs the same images and classes everywhere")
    shape, images = (len(networks), len(networks[0])), len(flat[0].intersections)
    rng = np.random.default_rng(0)
    chunks: list[Floats] = []
    chunk = max(1, min(CHUNK, NUMBERS // max(1, images)))
    for begin in range(0, resamples, chunk):
        weights = image_weights(images, min(chunk, resamples - begin), rng)
        chunks.append(_miou(flat, weights).reshape(-1, *shape).mean(-1))
    return _miou(flat, np.ones((1, images))).reshape(shape), np.concatenate(chunks)


def _miou(flat: Sequence[Areas], weights: Floats) -> Floats:
    """`weighted_miou` of any number of areas, a batch at a time: weights (B, N) -> (B, V)."""
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
    """Both errors together: that of the images from the draws, that of the seeds from their
    spread.
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
