"""Every kernel against a slow one that goes pixel by pixel, and the promises and faults of each
preset.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from msaf_bench.analyzers.consistency.matrices import (
    agreement,
    clean,
    etc2020,
    etc2020_thc,
    mean_of_all,
    mean_of_reference,
    pulled_back,
    vspw2021,
)
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.analyzers.miou import miou
from msaf_bench.data.flow import FlowField
from msaf_bench.spec import VOID

K = 19
KERNELS = [clean, etc2020, etc2020_thc, vspw2021]


def blobs(seed, size=(24, 32), block=4, classes=K):
    coarse = np.random.default_rng(seed).integers(
        classes, size=(size[0] // block, size[1] // block)
    )
    return np.kron(coarse, np.ones((block, block))).astype(np.uint8)


def motion_of(seed, size=(24, 32), scale=2.0):
    rng = np.random.default_rng(seed)
    return Warp(
        FlowField(rng.normal(0, scale, (*size, 2)).astype(np.float32), None, rng.random(size) < 0.2)
    )


def shift(dx, dy, size=(24, 32)):
    flow = np.empty((*size, 2), np.float32)
    flow[:] = dx, dy
    return Warp(FlowField(flow, -flow))


def corners(motion, i, j):
    """(row, column, weight) of the four pixels that (i, j) is read from, in float64 from the
    float32 places.
    """
    height, width = motion.unknown.shape
    left, top = int(np.floor(motion.x[i, j])), int(np.floor(motion.y[i, j]))
    a, b = float(motion.x[i, j]) - left, float(motion.y[i, j]) - top
    for dy, wy in ((0, 1 - b), (1, b)):
        for dx, wx in ((0, 1 - a), (1, a)):
            yield min(max(top + dy, 0), height - 1), min(max(left + dx, 0), width - 1), wy * wx


def slow_clean(earlier, later, motion, classes):
    """K one-hot planes, warped in float64 one pixel at a time; argmax."""
    height, width = earlier.shape
    counts = np.zeros((classes, classes), int)
    for i, j in np.ndindex(height, width):
        x, y = motion.x[i, j], motion.y[i, j]
        if (
            motion.hidden[i, j]
            or not (0 <= x <= width - 1 and 0 <= y <= height - 1)
            or earlier[i, j] == VOID
        ):
            continue
        planes = np.zeros(256)
        for row, column, weight in corners(motion, i, j):
            planes[later[row, column]] += weight
        if planes.argmax() != VOID:
            counts[earlier[i, j], planes.argmax()] += 1
    return counts


def rounded(exact):
    """An exact fraction as the nearest float32, of two equally near ones the even one: one
    rounding, as a fused operation has.
    """
    near = np.float32(float(exact))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    return min(around, key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(np.uint32)) % 2))


def etc_sum(alpha, beta, v):
    """The kernel's statements in numpy scalars: double products where a `1.` stands in one, each
    cast to float32; the last is fused.
    """
    a, b = float(alpha), float(beta)
    total = np.float32(0)
    total = total + np.float32((1.0 - a) * (1.0 - b) * float(v[0]))
    total = total + np.float32(a * (1.0 - b) * float(v[1]))
    total = total + np.float32((1.0 - a) * b * float(v[2]))
    return rounded(Fraction(float(alpha * beta)) * Fraction(float(v[3])) + Fraction(float(total)))


def thc_sum(alpha, beta, v):
    """The older kernel's: the same products, added before they are rounded; the last is float32
    from the start.
    """
    a, b = float(alpha), float(beta)
    total = np.float32(0)
    total = np.float32(float(total) + (1.0 - a) * (1.0 - b) * float(v[0]))
    total = np.float32(float(total) + a * (1.0 - b) * float(v[1]))
    total = np.float32(float(total) + (1.0 - a) * b * float(v[2]))
    return np.float32(total + alpha * beta * v[3])


def slow_etc(earlier, later, motion, classes, add=etc_sum):
    height, width = earlier.shape
    counts = np.zeros((classes, classes), int)
    for i, j in np.ndindex(height, width):
        xf, yf = motion.x[i, j], motion.y[i, j]
        alpha, beta = xf - np.floor(xf), yf - np.floor(yf)
        assert alpha.dtype == np.float32
        v = [np.float32(later[row, column]) for row, column, _ in corners(motion, i, j)]
        counts[earlier[i, j], int(add(alpha, beta, v))] += 1
    return counts


def library_vspw(earlier, later, motion, classes):
    """torch's own sampling, with the coordinates of the published script."""
    height, width = earlier.shape
    x = 2.0 * torch.from_numpy(motion.x.copy()) / max(width - 1, 1) - 1.0
    y = 2.0 * torch.from_numpy(motion.y.copy()) / max(height - 1, 1) - 1.0
    image = torch.from_numpy(later.astype(np.float32))[None, None]
    pulled = functional.grid_sample(
        image, torch.stack([x, y], -1)[None], mode="nearest", align_corners=False
    )[0, 0]
    return np.bincount(
        earlier.ravel().astype(int) * classes + pulled.numpy().ravel().astype(int),
        minlength=classes**2,
    ).reshape(classes, classes)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_each_kernel_is_the_slow_one(seed):
    earlier, later, motion = blobs(seed), blobs(seed + 1, block=2), motion_of(seed)
    np.testing.assert_array_equal(
        clean(earlier, later, motion, K), slow_clean(earlier, later, motion, K)
    )
    np.testing.assert_array_equal(
        etc2020(earlier, later, motion, K), slow_etc(earlier, later, motion, K)
    )
    np.testing.assert_array_equal(
        etc2020_thc(earlier, later, motion, K), slow_etc(earlier, later, motion, K, thc_sum)
    )
    # The order of float32 operations may decide a place that is half-way between two pixels.
    assert (
        np.abs(vspw2021(earlier, later, motion, K) - library_vspw(earlier, later, motion, K)).sum()
        <= 2
    )


def test_clean_leaves_out_void_as_the_slow_one_does():
    earlier, later, motion = blobs(0), blobs(0), motion_of(3, scale=0.4)
    rng = np.random.default_rng(0)
    earlier[rng.random(earlier.shape) < 0.2] = later[rng.random(later.shape) < 0.2] = VOID
    counts = clean(earlier, later, motion, K)
    np.testing.assert_array_equal(counts, slow_clean(earlier, later, motion, K))
    assert counts.sum() < (~motion.hidden).sum()


def test_a_hand_made_example():
    """4 x 4; the lower half moves by a quarter of a pixel to the right, the upper one by one and a
    half.
    """
    later = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]], np.uint8)
    earlier = np.array([[0, 1, 1, 1], [0, 1, 1, 1], [2, 2, 3, 3], [2, 2, 2, 3]], np.uint8)
    flow = np.zeros((4, 4, 2), np.float32)
    flow[:2, :, 0], flow[2:, :, 0] = 1.5, 0.25
    motion = Warp(FlowField(flow, None, np.zeros((4, 4), bool)))
    # Upper rows: column 0 is read half from 0 and half from 1: the first in reading order, 0;
    # column 1 from 1; the rest is outside. Lower rows: columns 0 to 2 are read mostly from
    # themselves; column 3 is outside.
    assert clean(earlier, later, motion, 4).tolist() == [
        [2, 0, 0, 0],
        [0, 2, 0, 0],
        [0, 0, 4, 1],
        [0, 0, 0, 1],
    ]
    # Ids: (0 + 1) / 2 truncates to 0; 0.75 * 2 + 0.25 * 3 truncates to 2. Outside, the border is
    # repeated.
    expected = [[2, 0, 0, 0], [0, 6, 0, 0], [0, 0, 4, 1], [0, 0, 0, 3]]
    assert etc2020(earlier, later, motion, 4).tolist() == expected
    # Nearest, half to even, after u -> 4 u / 3 - 1/2. Columns: 1.5, 2.83, 4.17, 5.5 above, so 2, 3
    # and twice outside, which is class 0;
    # -0.17, 1.17, 2.5, 3.83 below, so 0, 1, 2 and outside. Rows: -0.5, 0.83, 2.17, 3.5, so 0, 1, 2
    # and outside.
    assert vspw2021(earlier, later, motion, 4).tolist() == [
        [0, 2, 0, 0],
        [4, 2, 0, 0],
        [3, 0, 2, 0],
        [2, 0, 0, 1],
    ]


@pytest.mark.parametrize("kernel", [clean, etc2020])
def test_a_still_map_scores_100_without_motion(kernel):
    counts = kernel(blobs(0), blobs(0), shift(0, 0), K)
    assert agreement(counts) == miou(counts) == 100
    assert counts.sum() == 24 * 32


def test_vspw_misses_100_without_motion_by_its_coordinates():
    assert 60 < miou(vspw2021(blobs(0, block=8), blobs(0, block=8), shift(0, 0), K)) < 100


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-2, 5), (0, -1)])
def test_whole_shifts_are_exact_under_clean(dx, dy):
    later = blobs(1, block=2)
    earlier = np.roll(later, (-dy, -dx), (0, 1))
    counts = clean(earlier, later, shift(dx, dy), K)
    assert agreement(counts) == 100
    assert counts.sum() == (24 - abs(dy)) * (32 - abs(dx))


def test_class_numbering_means_nothing_to_clean():
    earlier, later, motion = blobs(0), blobs(1), motion_of(2)
    order = np.append(np.random.default_rng(5).permutation(K), np.full(256 - K, VOID)).astype(
        np.uint8
    )
    plain = clean(earlier, later, motion, K)
    renamed = clean(order[earlier], order[later], motion, K)
    np.testing.assert_array_equal(renamed[np.ix_(order[:K], order[:K])], plain)
    half = shift(0.5, 0.5)  # ties everywhere: they must not be broken by the class id
    np.testing.assert_array_equal(order[pulled_back(later, half)], pulled_back(order[later], half))


def test_class_numbering_moves_etc2020():
    """The fault of the published script, pinned: the same maps score several points apart under
    different numberings.
    """
    labels, motion = blobs(0, (96, 128), 16), shift(0.4, 0.7, (96, 128))
    orders = [np.random.default_rng(seed).permutation(K).astype(np.uint8) for seed in range(6)]
    scores = [mean_of_all(etc2020(order[labels], order[labels], motion, K)) for order in orders]
    assert max(scores) - min(scores) > 1
    clean_scores = [miou(clean(order[labels], order[labels], motion, K)) for order in orders]
    assert max(clean_scores) - min(clean_scores) < 1e-9


@pytest.mark.parametrize(
    ("kernel", "label", "low", "high"),
    [
        (etc2020, 8, 1.1, 1.7),
        (etc2020, 15, 4.8, 5.8),
        (etc2020_thc, 8, 0, 0.01),
        (etc2020_thc, 15, 0.3, 0.9),
    ],
)
def test_etc2020_truncates_constant_regions(kernel, label, low, high):
    """The fault of the published script, pinned: inside one class some pixels become the class
    below.
    """
    flow = np.random.default_rng(0).uniform(-9, 9, (512, 512, 2)).astype(np.float32)
    region = np.full((512, 512), label, np.uint8)
    counts = kernel(region, region, Warp(FlowField(flow)), K)
    assert low <= 100 * counts[label, label - 1] / counts.sum() <= high
    assert counts[label, label] + counts[label, label - 1] == counts.sum()


def test_a_constant_predictor():
    flat, motion = np.zeros((24, 32), np.uint8), motion_of(0)
    assert miou(clean(flat, flat, motion, K)) == 100
    assert mean_of_all(etc2020(flat, flat, motion, K)) == pytest.approx(100 / K)
    assert mean_of_reference(vspw2021(flat, flat, motion, K)) == 100


@pytest.mark.parametrize("kernel", [clean, etc2020])
def test_a_static_scene_can_run_backwards(kernel):
    one, two = (
        blobs(0),
        np.where(np.random.default_rng(1).random((24, 32)) < 0.1, 0, blobs(0)).astype(np.uint8),
    )
    np.testing.assert_array_equal(
        kernel(one, two, shift(0, 0), K), kernel(two, one, shift(0, 0), K).T
    )


def test_hidden_outside_and_unknown_pixels_have_no_vote():
    flow = np.zeros((24, 32, 2), np.float32)
    hidden = FlowField(flow, None, np.ones((24, 32), bool))
    assert clean(blobs(0), blobs(0), Warp(hidden), K).sum() == 0
    assert clean(blobs(0), blobs(0), shift(99, 0), K).sum() == 0
    unknown = flow.copy()
    unknown[:12] = np.nan
    for kernel in KERNELS:
        assert kernel(blobs(0), blobs(0), Warp(FlowField(unknown)), K).sum() == 12 * 32
    assert agreement(np.zeros((K, K), int)) is None


def test_void_is_no_class_in_any_preset():
    void = np.full((24, 32), VOID, np.uint8)
    motion = shift(0.3, 0.2)
    for kernel in KERNELS:
        assert kernel(void, blobs(0), motion, K).sum() == 0
    for kernel in (clean, etc2020):
        assert kernel(blobs(0), void, motion, K).sum() == 0
    # what is outside of the frame is class 0 there
    assert vspw2021(blobs(0), void, motion, K)[:, 1:].sum() == 0


def test_means_differ_in_the_classes_they_take():
    counts = np.array([[8, 2, 0, 0], [0, 6, 0, 4], [0, 0, 0, 0], [0, 0, 0, 0]])
    ious = 8 / 10, 6 / 12
    assert miou(counts) == pytest.approx(100 * sum(ious) / 3)  # class 3 occurs in the later maps
    assert mean_of_all(counts) == pytest.approx(100 * sum(ious) / 4)
    assert mean_of_reference(counts) == pytest.approx(100 * sum(ious) / 2)
    assert agreement(counts) == pytest.approx(100 * 14 / 20)
