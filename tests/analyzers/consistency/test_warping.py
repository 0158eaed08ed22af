import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msaf_bench.analyzers.consistency.warping import Warp, bilinear
from msaf_bench.data.flow import FlowField


def random_flow(seed, size=(19, 23), scale=3.0):
    return np.random.default_rng(seed).normal(0, scale, (*size, 2)).astype(np.float32)


def slow_bilinear(plane, x, y):
    """Pixel by pixel in float64, indices clamped."""
    height, width = plane.shape
    out = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape):
        left, top = int(np.floor(x[i, j])), int(np.floor(y[i, j]))
        a, b = float(x[i, j]) - left, float(y[i, j]) - top
        for dy, wy in ((0, 1 - b), (1, b)):
            for dx, wx in ((0, 1 - a), (1, a)):
                out[i, j] += (
                    wy
                    * wx
                    * float(
                        plane[min(max(top + dy, 0), height - 1), min(max(left + dx, 0), width - 1)]
                    )
                )
    return out


def slow_doubtful(forward, backward):
    """Lai et al. (2018), pixel by pixel in float64."""
    height, width = forward.shape[:2]
    forward = forward.astype(float)
    found = np.zeros((height, width), bool)
    x, y = np.arange(width) + forward[..., 0], np.arange(height)[:, None] + forward[..., 1]
    back = (
        None
        if backward is None
        else np.stack([slow_bilinear(backward[..., i], x, y) for i in (0, 1)], -1)
    )
    for i, j in np.ndindex(height, width):
        f = forward[i, j]
        gradient = 0.0
        if j + 1 < width:
            gradient += ((forward[i, j + 1] - f) ** 2).sum()
        if i + 1 < height:
            gradient += ((forward[i + 1, j] - f) ** 2).sum()
        found[i, j] = gradient > 0.01 * (f**2).sum() + 0.002
        if back is not None:
            b = back[i, j]
            found[i, j] |= ((f + b) ** 2).sum() > 0.01 * ((f**2).sum() + (b**2).sum()) + 0.5
    return found


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_bilinear_is_the_slow_one(seed, height, width):
    motion = Warp(FlowField(random_flow(seed, (height, width), 4)))
    plane = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    np.testing.assert_allclose(
        bilinear(plane, motion.x, motion.y), slow_bilinear(plane, motion.x, motion.y), atol=1e-5
    )
    places = motion.everywhere
    weighed = (plane.ravel()[places.pixel] * places.weight).sum(0).reshape(plane.shape)
    np.testing.assert_allclose(weighed, slow_bilinear(plane, motion.x, motion.y), atol=1e-5)


def test_whole_shifts_are_exact():
    plane = np.random.default_rng(0).normal(size=(9, 11)).astype(np.float32)
    flow = np.broadcast_to(np.float32([2, -1]), (9, 11, 2))
    motion = Warp(FlowField(flow))
    np.testing.assert_array_equal(bilinear(plane, motion.x, motion.y)[1:, :-2], plane[:-1, 2:])
    outside = np.ones((9, 11), bool)
    outside[1:, :-2] = False
    np.testing.assert_array_equal(motion.outside, outside)
    assert motion.everywhere.weight[0].min() == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("both", [True, False])
def test_doubtful_is_the_slow_one(seed, both):
    # Smooth enough that some pixels pass and some do not; taller than a band.
    coarse = random_flow(seed, (5, 4))
    forward = np.stack([np.kron(coarse[..., i], np.ones((8, 8))) for i in (0, 1)], -1).astype(
        np.float32
    )
    forward += random_flow(seed + 1, forward.shape[:2], 0.02)
    backward = -forward + random_flow(seed + 2, forward.shape[:2], 0.4) if both else None
    found = Warp(FlowField(forward, backward)).doubtful
    assert 0.05 < found.mean() < 0.95
    assert (found != slow_doubtful(forward, backward)).mean() < 0.002  # float32 on a threshold


def test_what_a_boundary_and_an_occlusion_are():
    """A square moves 6 to the right over a still ground: its edges are motion boundaries, what it
    covers later is occluded.
    """
    forward, backward = np.zeros((20, 40, 2), np.float32), np.zeros((20, 40, 2), np.float32)
    forward[5:15, 5:15, 0], backward[5:15, 11:21, 0] = 6, -6
    found = Warp(FlowField(forward, backward)).doubtful
    assert found[5:15, 15:21].all()  # ground that the square will cover
    assert not found[6:14, 6:14].any()
    assert not found[:, 25:].any()
    assert found[5:15, 14].all()  # the square's last column, against the next one
    # without backward flow, only boundaries
    assert not Warp(FlowField(forward)).doubtful[6:14, 16:21].any()


def test_what_is_unknown_is_doubtful_and_stays_finite():
    forward = np.full((6, 7, 2), np.nan, np.float32)
    forward[:, 3:], forward[0, 0] = 0, np.inf
    motion = Warp(FlowField(forward, np.zeros_like(forward)))
    assert motion.unknown[:, :3].all()
    assert motion.doubtful[:, :3].all()
    assert np.isfinite(motion.x).all()
    unknown_back = np.zeros((6, 7, 2), np.float32)
    unknown_back[2], unknown_back[3] = np.nan, np.inf
    assert Warp(FlowField(np.zeros((6, 7, 2), np.float32), unknown_back)).doubtful[2:4].all()


def test_exact_occlusion_replaces_the_rules():
    known = np.random.default_rng(0).random((6, 7)) < 0.5
    flow = FlowField(random_flow(0, (6, 7)), random_flow(1, (6, 7)), known)
    np.testing.assert_array_equal(Warp(flow).hidden, known)
    np.testing.assert_array_equal(Warp(flow._replace(occluded=None)).hidden, Warp(flow).doubtful)
