"""The bootstrap of mIoU against loops that draw one image at a time, against scipy, and against
truths known by construction.
"""

import time

import numpy as np
import pytest
from scipy import stats as reference

from msaf_bench.stats import Areas, Interval, bootstrap, image_difference, image_interval
from msaf_bench.stats.bootstrap import image_weights, weighted_miou


def areas(
    rng: np.random.Generator, images: int = 12, classes: int = 4, quality: float = 0.7
) -> Areas:
    """Made-up counts; about half of the classes are absent from an image."""
    truth = rng.integers(1, 2000, (images, classes)) * (rng.random((images, classes)) < 0.5)
    hit = (truth * np.clip(quality + 0.2 * rng.standard_normal((images, classes)), 0, 1)).astype(
        np.int64
    )
    return Areas(hit, truth + rng.integers(0, 200, (images, classes)) * (truth > 0))


def slow_miou(a: Areas, drawn: list[int]) -> float:
    """One image and one class at a time, in exact integers."""
    scores = []
    for k in range(a.unions.shape[1]):
        hit = sum(int(a.intersections[i, k]) for i in drawn)
        union = sum(int(a.unions[i, k]) for i in drawn)
        if union:
            scores.append(hit / union)
    return 100 * sum(scores) / len(scores) if scores else float("nan")


def test_weights_are_a_draw_with_replacement():
    weights = image_weights(7, 4000, np.random.default_rng(3))
    assert weights.shape == (4000, 7)
    assert (weights.sum(1) == 7).all()
    # Each count is binomial(7, 1/7), and two of them correlate by -1/6.
    assert weights.mean() == 1
    assert weights.var(0) == pytest.approx(np.full(7, 6 / 7), rel=0.12)
    assert np.corrcoef(weights.T)[0, 1] == pytest.approx(-1 / 6, abs=0.05)


def test_weighted_miou_is_the_slow_one():
    rng = np.random.default_rng(0)
    networks = [areas(rng, 5, 3), areas(rng, 5, 3)]
    networks[0].unions[:, 2] = networks[0].intersections[:, 2] = 0  # a class that never occurs
    weights = image_weights(5, 50, rng)
    hit, union = (np.stack([np.asarray(a[i], float) for a in networks]) for i in (0, 1))
    found = weighted_miou(hit, union, weights)
    for b, counts in enumerate(weights.astype(int)):
        drawn = [i for i, times in enumerate(counts) for _ in range(times)]
        assert found[b] == pytest.approx([slow_miou(a, drawn) for a in networks], nan_ok=True)


def test_a_class_that_a_resample_lacks_is_left_out_of_its_mean():
    rare = Areas(np.array([[90, 0], [80, 50]]), np.array([[100, 0], [100, 100]]))
    hit, union = (np.asarray(part, float)[None] for part in rare)
    assert weighted_miou(hit, union, np.array([[2.0, 0], [0, 2], [0, 0]]))[:, 0] == pytest.approx(
        [90, 65, np.nan], nan_ok=True
    )


def test_networks_in_batches_give_the_same_bits(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = ({seed: areas(rng, 9) for seed in range(5)} for _ in range(2))
    whole = image_interval(list(a.values())), image_difference(a, b)
    monkeypatch.setattr(bootstrap, "BATCH", 2)
    assert (image_interval(list(a.values())), image_difference(a, b)) == whole
    monkeypatch.setattr(bootstrap, "NUMBERS", 999)  # a network and 111 resamples at a time
    assert (image_interval(list(a.values())), image_difference(a, b)) == whole


def slow_bootstrap(a: list[Areas], b: list[Areas], resamples: int) -> np.ndarray:
    rng = np.random.default_rng(99)
    images, found = len(a[0].unions), []
    for _ in range(resamples):
        drawn = [int(i) for i in rng.integers(0, images, images)]
        found.append(
            float(
                np.mean(
                    [slow_miou(x, drawn) - slow_miou(y, drawn) for x, y in zip(a, b, strict=True)]
                )
            )
        )
    return np.array(found)


@pytest.mark.slow
def test_difference_is_the_slow_one_over_seeds_and_images():
    rng = np.random.default_rng(5)
    a, b = [areas(rng, quality=0.75) for _ in range(3)], [areas(rng, quality=0.7) for _ in range(3)]
    found = image_difference(dict(enumerate(a)), dict(enumerate(b)))
    slow = slow_bootstrap(a, b, 3000)
    assert found is not None
    assert found.interval.mean == pytest.approx(
        np.mean(
            [
                slow_miou(x, [*range(12)]) - slow_miou(y, [*range(12)])
                for x, y in zip(a, b, strict=True)
            ]
        )
    )
    seeds = [
        slow_miou(x, [*range(12)]) - slow_miou(y, [*range(12)]) for x, y in zip(a, b, strict=True)
    ]
    spread, error = slow.std(), np.std(seeds, ddof=1) / 3**0.5
    half, (low, high) = reference.t.ppf(0.975, 2) * error, np.quantile(slow, [0.025, 0.975])
    mean = found.interval.mean
    assert found.interval.sd == pytest.approx(np.hypot(spread, error), rel=0.06)
    expected = (mean - np.hypot(mean - low, half), mean + np.hypot(high - mean, half))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, abs=0.15 * spread)
    assert found.better == pytest.approx((slow > 0).mean(), abs=0.03)
    assert (found.images, found.seeds) == (12, 3)


@pytest.mark.slow
def test_of_one_seed_only_images_are_drawn_and_scipy_agrees():
    a = areas(np.random.default_rng(2), 40)
    found = image_interval([a])

    def statistic(index: np.ndarray) -> float:
        return slow_miou(a, [int(i) for i in index])

    theirs = reference.bootstrap(
        (np.arange(40),), statistic, vectorized=False, n_resamples=2000, method="percentile", rng=1
    )
    assert found.sd == pytest.approx(theirs.standard_error, rel=0.07)
    bounds = (theirs.confidence_interval.low, theirs.confidence_interval.high)
    assert (found.low, found.high) == pytest.approx(bounds, abs=0.2 * theirs.standard_error)
    assert found.n == 40


def test_pairing_takes_the_images_common_part_away():
    rng = np.random.default_rng(7)
    base = areas(rng, 60)
    better = Areas(np.minimum(base.intersections + base.unions // 50, base.unions), base.unions)
    gap, alone = image_difference({0: better}, {0: base}), image_interval([base])
    assert gap is not None
    assert gap.interval.sd is not None
    assert alone.sd is not None
    assert gap.interval.sd < 0.2 * alone.sd
    assert gap.better == 1
    same = image_difference({0: base}, {0: base})
    assert same is not None
    assert same.better == 0.5
    assert (same.interval.mean, same.interval.low, same.interval.high) == (0, 0, 0)


def test_more_seeds_do_not_hide_the_error_of_the_images():
    """Ten seeds that give the same predictions know no more than one."""
    a = areas(np.random.default_rng(4), 30)
    one, ten = image_interval([a]), image_interval([a] * 10)
    assert ten.sd == pytest.approx(one.sd, rel=0.03)


@pytest.mark.slow
def test_coverage_of_a_known_truth():
    """Images are drawn from a large made-up world; about 95 % of the intervals hold its mIoU."""
    rng = np.random.default_rng(11)
    world = areas(rng, 5000, 3)
    truth, inside = slow_miou(world, [*range(5000)]), 0
    for _ in range(200):
        chosen = rng.integers(0, 5000, 60)
        found = image_interval(
            [Areas(world.intersections[chosen], world.unions[chosen])], resamples=500
        )
        inside += (
            found.low is not None and found.high is not None and found.low <= truth <= found.high
        )
    assert 0.88 <= inside / 200 <= 0.99


def test_seeds_are_paired_and_the_draw_is_fixed():
    rng = np.random.default_rng(6)
    a, b = {s: areas(rng) for s in (0, 1, 5)}, {s: areas(rng) for s in (5, 1, 9)}
    found = image_difference(a, b, resamples=200)
    assert found is not None
    assert found.seeds == 2
    assert found == image_difference({5: a[5], 1: a[1]}, b, resamples=200)
    assert image_difference({0: a[0]}, {1: b[1]}) is None
    with pytest.raises(ValueError, match="same images"):
        image_difference({0: a[0]}, {0: areas(rng, 11)})


def test_what_cannot_have_an_interval_has_none():
    one = Areas(np.array([[50]]), np.array([[100]]))
    assert image_interval([one]) == Interval(50, None, None, None, 1)
    nothing = Areas(np.zeros((3, 2), int), np.zeros((3, 2), int))
    assert image_interval([nothing]).low is None


@pytest.mark.slow
def test_ten_thousand_resamples_of_500_images_and_19_classes_take_a_moment():
    rng = np.random.default_rng(8)
    a, b = areas(rng, 500, 19), areas(rng, 500, 19)
    begin = time.process_time()
    image_difference({0: a}, {0: b}, resamples=10_000)
    assert time.process_time() - begin < 3  # about 0.1 s on an idle core
