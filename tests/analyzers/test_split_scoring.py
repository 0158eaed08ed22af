"""A split scored in one pass: frames without a label map, and how few maps are kept."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.consistency import matrices
from msaf_bench.analyzers.consistency.matrices import mean_of_all
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.analyzers.miou import miou
from msaf_bench.analyzers.scoring import reader, score
from msaf_bench.analyzers.split_scoring import PassingMaps, score_split, scoring_order
from msaf_bench.catalog import read_conditions
from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import estimate
from msaf_bench.data.subsets import Subset, WithPast
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID
from msaf_bench.sweep.evaluation import measure

K, SIZE, SNIPPETS, LENGTH, LABELLED = 3, (16, 24), 3, 30, 19
CONDITIONS = read_conditions(
    "smoke", "street", {"flow": "dis", "consistency": ("clean", "etc2020", "vc8")}
)


class Snippets:
    """Snippets of 30 frames, one of them labelled, as `Clips`: `steps` says which of the frames
    follow each other in pairs.
    """

    classes, colours, fingerprint = ("a", "b", "c"), ((0, 0, 0),) * 3, "f"
    repeated = skipped = 0

    def __init__(self, steps=range(LENGTH - 1)):
        frames = [(snippet, t) for snippet in range(SNIPPETS) for t in range(LENGTH)]
        used = {t + i for t in steps for i in (0, 1)}
        own = [frame for frame in frames if frame[1] == LABELLED]
        others = [frame for frame in frames if frame[1] != LABELLED and frame[1] in used]
        self.frames, self.unlabelled = own + others, len(others)
        self.videos = tuple(str(snippet) for snippet, _ in own)
        place = {frame: i for i, frame in enumerate(self.frames)}
        self.pairs = tuple(
            (place[snippet, t], place[snippet, t + 1]) for snippet in range(SNIPPETS) for t in steps
        )

    def __len__(self):
        return SNIPPETS

    def __getitem__(self, index):
        label = np.full(SIZE, VOID, np.uint8)
        if index < len(self):
            label = self.picture(index)[..., 0] // 100
        return Clip(self.picture(index)[None], label, str(index))

    def picture(self, index):
        """Blobs of grey that move to the right."""
        snippet, t = self.frames[index]
        noise = np.random.default_rng(snippet).random((SIZE[0] // 4, 3 * LENGTH))
        wide = np.kron(noise, np.ones((4, 4)))[:, t : t + SIZE[1]]
        return np.repeat((255 * wide).astype(np.uint8)[..., None], 3, -1)

    def exact_flow(self, pair):
        return None

    def exact_past(self, index):
        return None


class Net:
    """Tells three greys apart in the newest frame."""

    frames, deciding, training_only = 1, (), ()

    def eval(self):
        return self

    def parts(self):
        return {}

    def __call__(self, frames):
        grey = frames[:, -1, 1]
        maps = (grey > -0.8).long() + (grey > 0.9)
        return SimpleNamespace(
            logits=torch.nn.functional.one_hot(maps, K).permute(0, 3, 1, 2).float()
        )


def segment(picture):
    """What the network says of a picture."""
    frame = normalise(picture[None].copy())[None]
    return Net()(frame).logits.argmax(1)[0].numpy().astype(np.uint8)


def by_hand(clips, name):
    """The sum of the matrices of all pairs."""
    total = np.zeros((K, K), np.int64)
    for pair in clips.pairs:
        earlier, later = (clips.picture(i) for i in pair)
        motion = Warp(estimate("dis", earlier, later))
        total += getattr(matrices, name)(segment(earlier), segment(later), motion, K)
    return total


@pytest.mark.parametrize("steps", [range(LENGTH - 1), [LABELLED - 1], [LABELLED], [18, 19]])
def test_unlabelled_neighbours_count_for_consistency_alone(steps):
    clips, asked, seen = Snippets(steps), Counter(), {}

    def read(chunks, still):
        asked.update(index for chunk in chunks for index in chunk)
        return reader(Net(), clips)(chunks, still)

    found = score_split(Net(), clips, CONDITIONS, read, on_image=seen.__setitem__)
    assert found.confusion == score(Net(), clips)
    assert list(seen) == list(range(SNIPPETS))
    assert asked == Counter(range(SNIPPETS + clips.unlabelled))
    clean, etc, vc8 = found.consistency
    assert clean.value == miou(by_hand(clips, "clean"))
    assert etc.value == mean_of_all(by_hand(clips, "etc2020"))
    assert clean.pairs == len(clean.matrices) == SNIPPETS * len(steps)
    assert list(clean.controls) == ["constant", "no_warp"]
    assert (vc8.value, vc8.reason) == (None, "needs the true label map of every frame")


def test_what_a_sweep_keeps_of_them(tmp_path):
    clips = Snippets()
    found = measure(Net(), clips, CONDITIONS, "cpu", tmp_path)
    assert len(found.confusion) == len(found.samples) == SNIPPETS
    clean = found.consistency[0]
    assert clean.value == miou(by_hand(clips, "clean"))
    assert clean.matrices.images == SNIPPETS * (LENGTH - 1)


def test_without_flow_they_are_not_predicted():
    clips = Snippets()
    clips.frames = clips.frames[:SNIPPETS]
    silent = CONDITIONS.model_copy(update={"flow": "none"})
    assert score_split(Net(), clips, silent, reader(Net(), clips)).consistency == ()


def test_exact_flow_needs_both_label_maps():
    clips = Snippets()
    clips.exact_flow = lambda pair: FlowField(np.zeros((*SIZE, 2), np.float32))
    exact = CONDITIONS.model_copy(update={"flow": "exact"})
    with pytest.raises(UsageError, match="needs the label maps of both frames; use flow dis"):
        score_split(Net(), clips, exact, reader(Net(), clips))


def test_an_unlabelled_clip_is_predicted_beside_the_nearest_labelled_one():
    clips = Snippets([17, 18, 19])
    # frames 17, 18 and 20 of each snippet are unlabelled
    assert scoring_order(clips) == [3, 4, 0, 5, 6, 7, 1, 8, 9, 10, 2, 11]
    assert scoring_order(Snippets([])) == [0, 1, 2]
    clips.pairs = ((0, 4), (4, 1), (8, 9), (3, 2))
    assert scoring_order(clips) == [0, 4, 1, 3, 2, 8, 9]


def test_maps_that_pass_are_kept_until_they_were_asked_for():
    maps = ((i, f"map {i}", f"truth {i}") for i in range(6))
    held = PassingMaps(maps, Counter([4, 1, 1, 0]))
    assert (held[4], held.truths) == ("map 4", {4: "truth 4"})
    assert held._kept.keys() == {0, 1}
    assert [held[i] for i in (1, 0, 1)] == ["map 1", "map 0", "map 1"]
    assert not held._kept
    assert held.truths == {1: "truth 1"}


def test_a_subset_has_the_unlabelled_neighbours_of_its_clips():
    clips = Snippets([17, 18, 19])
    part = Subset(clips, [1, 2])
    assert (len(part), part.unlabelled) == (2, 6)
    assert [part[i].name for i in range(8)] == ["1", "2", "6", "7", "8", "9", "10", "11"]
    assert part.pairs == ((2, 3), (3, 0), (0, 4), (5, 6), (6, 1), (1, 7))
    for pair, other in zip(part.pairs, clips.pairs[3:], strict=True):
        for i, j in zip(pair, other, strict=True):
            assert part[i].name == clips[j].name
            np.testing.assert_array_equal(part.picture(i), clips.picture(j))
    for beyond in (-1, 8):
        with pytest.raises(IndexError):
            part[beyond]
    clips.pairs += ((0, 1),)
    assert Subset(clips, [1, 2]).pairs == part.pairs


def test_another_past_leaves_pairs_and_fingerprint_as_they_are():
    clips = Snippets()
    still = WithPast(clips, "still", "dis")
    assert (still.pairs, still.unlabelled) == (clips.pairs, clips.unlabelled)
    assert still.fingerprint == clips.fingerprint
    assert still[len(clips)].name == clips[len(clips)].name
    assert (still[len(clips)].label == VOID).all()
