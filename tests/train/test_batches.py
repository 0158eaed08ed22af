"""Batches depend on their step and the seed alone."""

import threading

import numpy as np
import pytest
import torch

from msaf_bench.catalog import read_conditions
from msaf_bench.data import open_split
from msaf_bench.train.batches import batches
from msaf_bench.train.parallel import ProcessGroup

PLAIN = read_conditions("smoke", "street", {"steps": 8, "batch": 3})
AUGMENTED = {"scale": (0.5, 2.0), "flip": True}
CLIPS = open_split(PLAIN, "train")


def made(conditions, threads, start=0, seed=0):
    with batches(CLIPS, conditions, seed, start=start, threads=threads) as found:
        return list(found)


def equal(one, other):
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize(
    "changes", [AUGMENTED, {**AUGMENTED, "crop": (24, 40)}, {**AUGMENTED, "draws": 2}]
)
def test_threads_and_resumptions_change_no_batch(changes):
    conditions = PLAIN.model_copy(update=changes)
    plain = made(conditions, threads=0)
    assert len(plain) == 8
    for threads in (1, 4):
        others = made(conditions, threads)
        assert all(map(equal, plain, others))
    for start in (3, 7):
        for threads in (0, 4):
            later = made(conditions, threads, start)
            assert len(later) == 8 - start
            assert all(map(equal, plain[start:], later))
    assert not any(map(equal, plain, made(conditions, 0, seed=1)))


def test_a_batch_is_normalised_frames_and_labels_of_whole_numbers():
    first = made(PLAIN, threads=1)[0]
    assert first.inputs.shape == (3, PLAIN.frames, 3, *PLAIN.size)
    assert (first.inputs.dtype, first.labels.dtype) == (torch.float32, torch.int64)


class Broken:
    """A split with one clip that cannot be read."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return len(CLIPS)

    def __getitem__(self, index):
        if index == 2:
            raise self.error
        return CLIPS[index]


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_what_reading_a_clip_raises_reaches_the_training(threads):
    error = ValueError("aachen_000000: cut")
    with (
        pytest.raises(ValueError, match="aachen_000000: cut") as raised,
        batches(Broken(error), PLAIN, 0, threads=threads) as found,
    ):
        list(found)
    assert raised.value is error
    assert not [t for t in threading.enumerate() if "loader" in t.name]


def test_features_stand_for_frames():
    from msaf_bench.train.features import Features

    conditions = PLAIN.model_copy(update={"draws": 2})
    count = len(CLIPS)
    fields = (torch.arange(2 * count)[:, None].float(),)
    labels = torch.from_numpy(np.arange(2 * count, dtype=np.uint8)[:, None, None])
    with batches(
        CLIPS, conditions, 0, features=Features(fields, labels, count), threads=2
    ) as found:
        for batch in found:
            (field,) = batch.inputs
            assert field[:, 0].tolist() == batch.labels[:, 0, 0].tolist()
            assert batch.labels.dtype == torch.int64


@pytest.mark.parametrize("changes", [AUGMENTED, {**AUGMENTED, "draws": 2}])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_processes_share_the_batch_of_one_and_read_no_other_clips(changes, accumulate):
    conditions = PLAIN.model_copy(
        update={**changes, "batch": 4, "steps": 3, "accumulate": accumulate}
    )
    whole = made(conditions, threads=0)
    shares = []
    for rank in range(2):
        counted = Counted()
        with batches(counted, conditions, 0, group=ProcessGroup(rank, 2)) as found:
            shares.append(list(found))
        assert counted.read == 2 * 3
    for batch, *own in zip(whole, *shares, strict=True):
        for field, whole_field in enumerate(batch):
            parts = [share[field].chunk(accumulate) for share in own]
            again = [part for pair in zip(*parts, strict=True) for part in pair]
            assert torch.equal(torch.cat(again), whole_field)


class Counted:
    """A split that counts the clips that are read."""

    def __init__(self):
        self.read = 0

    def __len__(self):
        return len(CLIPS)

    def __getitem__(self, index):
        self.read += 1
        return CLIPS[index]
