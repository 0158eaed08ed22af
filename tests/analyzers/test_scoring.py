"""What a network answers, scored: its counts, and answers that are refused."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.scoring import BATCH, reader, score
from msaf_bench.data.clips import Clip
from msaf_bench.errors import DataError

K, SIZE = 3, (4, 6)


class Clips(list):
    classes = ("a", "b", "c")

    def __init__(self, clips):
        super().__init__(clips)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


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


def seen(frames):
    """Answers that depend on every frame."""
    return frames.mean((1, 2))[:, None].repeat(1, K, 1, 1) * torch.arange(K).view(K, 1, 1).sub(1)


@pytest.mark.parametrize("still", [False, True])
def test_threads_change_no_count_and_read_each_clip_once(clips, still):
    alone = score(Net(seen), clips, still=still)
    assert clips.read == list(range(BATCH + 1))
    for threads in (1, 4):
        clips.read.clear()
        read = reader(Net(seen), clips, threads=threads)
        np.testing.assert_array_equal(score(Net(None), clips, still=still, read=read), alone)
        assert sorted(clips.read) == list(range(BATCH + 1))
    assert len(np.unique(alone)) > 2


@pytest.mark.parametrize("threads", [0, 3])
def test_an_error_of_the_network_or_of_a_clip_leaves_no_thread(clips, threads):
    def failing(frames):
        raise ValueError("the network's")

    with pytest.raises(ValueError, match="the network's"):
        score(Net(None), clips, read=reader(Net(failing), clips, threads=threads))
    list.__setitem__(clips, BATCH, None)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'frames'"):
        score(Net(None), clips, read=reader(Net(seen), clips, threads=threads))
    assert not [t for t in threading.enumerate() if "loader" in t.name]


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
