import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msaf_bench.analyzers.consistency.vc import VideoWindows
from msaf_bench.errors import DataError


def window_shares(predictions, truths, video, n):
    """Of a video whose frames come one by one."""
    windows, found = VideoWindows(len(video)), []
    for index in video:
        windows.add(index, {"prediction": predictions(index), "truth": truths(index)})
        found += [share for subject, share in windows.shares(n).items() if subject == "prediction"]
    return found


def slow(predictions, truths, n):
    """Window by window, frame by frame, as the published script goes."""
    shares = []
    for i in range(len(truths) - n):
        lasting = kept = 0
        for place in np.ndindex(truths[0].shape):
            if all(truths[i + j][place] == truths[i][place] for j in range(n)):
                lasting += 1
                kept += all(predictions[i + j][place] == predictions[i][place] for j in range(n))
        shares.append(100 * kept / lasting if lasting else float("nan"))
    return shares


def flickering(seed, frames, size=(3, 4), rate=0.15):
    rng = np.random.default_rng(seed)
    maps = [rng.integers(0, 3, size)]
    for _ in range(frames - 1):
        maps.append(np.where(rng.random(size) < rate, rng.integers(0, 3, size), maps[-1]))
    return np.array(maps, np.uint8)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 5))
def test_it_is_the_slow_one(seed, frames, n):
    predictions, truths = flickering(seed, frames), flickering(seed + 1, frames)
    found = window_shares(predictions.__getitem__, truths.__getitem__, range(frames), n)
    np.testing.assert_allclose(found, slow(predictions, truths, n))


def test_the_last_window_is_lost():
    maps = flickering(0, 9)
    for frames, windows in ((8, 0), (9, 1)):
        assert len(window_shares(maps.__getitem__, maps.__getitem__, range(frames), 8)) == windows


def test_a_wrong_constant_scores_100_and_a_moving_truth_nothing():
    truths = np.zeros((10, 3, 4), np.uint8)
    wrong = np.full_like(truths, 2)
    assert window_shares(wrong.__getitem__, truths.__getitem__, range(10), 8) == [100, 100]
    moving = np.arange(10, dtype=np.uint8)[:, None, None] + truths
    assert np.isnan(window_shares(wrong.__getitem__, moving.__getitem__, range(10), 8)).all()


def test_frames_are_taken_in_the_order_of_the_video():
    maps = flickering(0, 12)
    order = [4, 9, 2, 7, 0, 11]
    found = window_shares(maps.__getitem__, maps.__getitem__, order, 3)
    np.testing.assert_array_equal(
        found, window_shares(maps[order].__getitem__, maps[order].__getitem__, range(6), 3)
    )
    truths = flickering(5, 12)
    np.testing.assert_allclose(
        window_shares(maps.__getitem__, truths.__getitem__, order, 3),
        slow(maps[order], truths[order], 3),
    )


def test_mixed_sizes_are_named():
    one, two = np.zeros((9, 3, 4), np.uint8), np.zeros((9, 3, 5), np.uint8)
    with pytest.raises(DataError, match="resize them to the same size"):
        window_shares(one.__getitem__, two.__getitem__, range(9), 8)
    with pytest.raises(DataError, match="frame 1 is"):
        window_shares(one.__getitem__, [*one[:1], *two[1:]].__getitem__, range(9), 8)
