"""What a network answers, scored: its counts, and answers that are refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.scoring import BATCH, score
from msaf_bench.data.clips import Clip
from msaf_bench.errors import DataError

K, SIZE = 3, (4, 6)


class Clips(list):
    classes = ("a", "b", "c")


class Net:
    """Answers what `logits` gives for a batch."""

    def __init__(self, logits):
        self.logits = logits

    def eval(self):
        return self

    def __call__(self, frames):
        return SimpleNamespace(logits=self.logits(frames))


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, (BATCH + 1, *SIZE)).astype(np.uint8)
    return Clips(
        Clip(rng.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8), label, f"v/{i}")
        for i, label in enumerate(labels)
    )


def test_each_clip_has_its_counts_at_the_size_of_its_label(clips):
    half = torch.zeros(K, SIZE[0] // 2, SIZE[1] // 2)
    half[1] = 1
    seen = {}
    found = score(
        Net(lambda frames: half.expand(len(frames), -1, -1, -1)), clips, on_image=seen.__setitem__
    )
    assert len(found) == BATCH + 1
    for matrix, clip in zip(found, clips, strict=True):
        assert matrix[:, 1].tolist() == np.bincount(clip.label.ravel(), minlength=K).tolist()
        assert matrix.sum() == clip.label.size
    assert list(seen) == list(range(BATCH + 1))
    assert all(map_.shape == SIZE and (map_ == 1).all() for map_ in seen.values())


def test_still_repeats_the_newest_frame(clips):
    heard = []
    score(
        Net(lambda frames: heard.append(frames) or torch.zeros(len(frames), K, *SIZE)),
        clips,
        still=True,
    )
    assert all(torch.equal(frames[:, 0], frames[:, 1]) for frames in heard)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((BATCH, K + 1, *SIZE), r"clip v/0: logits of \(4, 4, 4, 6\); expected \(4, 3\)"),
        ((BATCH, K - 1, *SIZE), r"logits of \(4, 2, 4, 6\)"),
        ((BATCH + 1, K, *SIZE), r"logits of \(5, 3, 4, 6\)"),
        ((BATCH, K), r"logits of \(4, 3\)"),
    ],
)
def test_another_shape_is_refused(clips, shape, says):
    with pytest.raises(DataError, match=says):
        score(Net(lambda frames: torch.zeros(shape)), clips)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(clips, value):
    def logits(frames):
        found = torch.zeros(len(frames), K, *SIZE)
        found[-1, 0, 0, 0] = value
        return found

    with pytest.raises(
        DataError, match="the logits of clip v/0 or one of the next 3 are not finite"
    ):
        score(Net(logits), clips)
