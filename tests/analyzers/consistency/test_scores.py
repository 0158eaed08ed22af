"""What runs ask for: several presets over the pairs of a data set, with controls, on known motion
and on real video.
"""

import numpy as np
import pytest
from PIL import Image

from msaf_bench.analyzers.consistency.flows import flow_bytes
from msaf_bench.analyzers.consistency.scores import (
    PRESETS,
    chains,
    consistency,
    flows_of,
    per_video,
)
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.analyzers.miou import miou
from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.labels.classes import CLASS_SETS
from msaf_bench.data.labels.files import read_label_map
from msaf_bench.data.street import make_video
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import CONSISTENCY, VOID

K = 11
SIZE = (64, 128)


class Streets:
    """Street videos as `Clips`: every frame is a clip."""

    classes = CLASS_SETS["camvid11"].names

    def __init__(self, seeds=(1,), frames=4, size=SIZE):
        self.length, self.videos = frames, [make_video(seed, frames, size) for seed in seeds]
        self.pairs = tuple((i, i + 1) for i in range(len(self)) if (i + 1) % frames)
        self.labels = [label for video in self.videos for label in video.labels]

    def __len__(self):
        return self.length * len(self.videos)

    def __getitem__(self, index):
        return Clip(self.picture(index)[None], self.labels[index], str(index))

    def picture(self, index):
        return self.videos[index // self.length].images[index % self.length]

    def exact_flow(self, pair):
        video, t = self.videos[pair[0] // self.length], pair[0] % self.length
        return FlowField(
            video.flow_forward[t], video.flow_backward[t + 1], video.occluded_forward[t]
        )


def score(predictions, clips, presets=("clean",), kind="exact", truths=True, **more):
    return consistency(
        predictions,
        clips.labels if truths else None,
        clips.pairs,
        flows_of(clips, kind),
        presets,
        K,
        **more,
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 64), (64, 128), (96, 160)])
def test_a_perfect_predictor_scores_100_under_clean_with_exact_flow(size):
    clips = Streets(seeds=range(1, 12, 2), size=size)
    (found,) = score(clips.labels, clips)
    assert (
        found.value
        == found.controls["truth"]
        == found.controls["constant"]
        == found.agreement
        == 100
    )
    assert 55 < found.votes < 90
    assert found.controls["no_warp"] < 90
    assert found.pairs == 6 * 3
    assert (found.matrices.sum().diagonal() > 0).sum() == K


def test_conditions_know_every_preset():
    assert tuple(PRESETS) == CONSISTENCY


@pytest.mark.slow
def test_what_the_edges_of_the_truth_do():
    """Without leaving out what is read across the edge of a true class, the protocol charges a
    perfect predictor for its rounding.
    """
    clips = Streets(seeds=range(1, 12, 2))
    (masked,) = score(clips.labels, clips)
    (plain,) = consistency(clips.labels, None, clips.pairs, clips.exact_flow, ["clean"], K)
    assert 85 < plain.value < 93
    assert masked.votes < plain.votes < masked.votes + 15


@pytest.mark.slow
def test_a_flickering_predictor_is_seen_away_from_the_edges():
    clips = Streets(seeds=(1, 3))
    rng = np.random.default_rng(0)
    flickering = [
        np.where(rng.random(SIZE) < 0.1, np.uint8(4), label).astype(np.uint8)
        for label in clips.labels
    ]
    (found,) = score(flickering, clips)
    assert 70 < found.agreement < 90
    assert found.value < 80
    assert found.controls["truth"] == 100


@pytest.mark.slow
def test_what_each_protocol_scores_for_a_perfect_predictor():
    clips = Streets(seeds=range(1, 12, 2))
    by_preset = {found.preset: found for found in score(clips.labels, clips, PRESETS)}
    assert by_preset["clean"].value == 100
    for legacy in ("etc2020", "vspw2021"):
        assert 50 < by_preset[legacy].value < 90
        assert by_preset[legacy].votes == 100
    assert by_preset["etc2020"].controls["constant"] == pytest.approx(100 / K)
    assert by_preset["ewarp"].value < 0.3 * by_preset["ewarp"].controls["no_warp"]
    assert by_preset["ewarp"].controls["constant"] == 0
    assert (
        by_preset["vc8"].reason == "needs more than 8 frames without a gap; the longest video has 4"
    )


@pytest.mark.slow
def test_estimated_flow_costs_a_perfect_predictor_something_and_the_control_says_so():
    clips = Streets(seeds=(1, 3), size=(96, 160))
    (found,) = score(clips.labels, clips, kind="dis")
    assert found.controls["no_warp"] + 5 < found.value == found.controls["truth"] < 100


@pytest.mark.slow
def test_zero_flow_is_the_control_without_warp():
    clips = Streets()
    names = ("clean", "etc2020", "ewarp")
    for still, moving in zip(
        score(clips.labels, clips, names, "zero"),
        score(clips.labels, clips, names, "dis"),
        strict=True,
    ):
        assert still.value == still.controls["no_warp"] == moving.controls["no_warp"]


@pytest.mark.slow
def test_still_predictions_score_100_without_motion():
    clips = Streets()
    still = [clips.labels[0]] * len(clips)
    clean, etc, ewarp = score(still, clips, ("clean", "etc2020", "ewarp"), "zero")
    assert clean.value == 100
    assert etc.value == pytest.approx(100 * len(np.unique(still[0])) / K)
    assert ewarp.value == 0


@pytest.mark.slow
def test_frames_are_a_control_of_ewarp():
    clips = Streets()
    (found,) = score(
        clips.labels, clips, ["ewarp"], pictures=[clips.picture(i) for i in range(len(clips))]
    )
    assert 0 < found.controls["frames"] < 0.1


@pytest.mark.slow
def test_ewarp_is_the_mean_of_videos_of_unequal_length():
    clips = Streets(seeds=(1, 3))
    pairs = ((0, 1), (1, 2), (2, 3), (4, 5))
    (found,) = consistency(clips.labels, None, pairs, clips.exact_flow, ["ewarp"], K)
    assert len(found.parts) == 4
    assert found.value == pytest.approx((np.mean(found.parts[:3]) + found.parts[3]) / 2)
    assert per_video(found, chains(pairs)) == pytest.approx(
        [np.mean(found.parts[:3]), found.parts[3]]
    )


@pytest.mark.slow
def test_matrices_are_pooled_and_split_by_video():
    clips = Streets(seeds=(1, 3), frames=3)
    (found,) = score(clips.labels, clips, kind="dis")
    assert (len(found.matrices), found.matrices.classes) == (4, K)
    assert found.value == miou(found.matrices.sum())
    assert per_video(found, chains(clips.pairs)) == [
        miou(found.matrices[:2].sum()),
        miou(found.matrices[2:].sum()),
    ]


def test_windows_are_pooled_over_videos():
    maps = [np.full((2, 2), value, np.uint8) for value in (0,) * 10 + (1,) * 9 + (2,) * 3]
    truths = [np.zeros((2, 2), np.uint8)] * len(maps)
    predictions = list(maps)
    predictions[12] = maps[0]
    pairs = [(i, i + 1) for i in range(len(maps) - 1) if i not in (9, 18)]
    no_flow = None
    (found,) = consistency(predictions, truths, pairs, no_flow, ["vc8"], 3)
    assert found.parts == (100, 100, 0)
    assert found.value == pytest.approx(200 / 3)
    assert found.controls == {"constant": 100, "truth": 100}
    assert per_video(found, chains(pairs)) == [100, 0, None]


def test_windows_are_those_whose_frames_all_have_a_true_label_map():
    maps = [np.full((2, 2), value, np.uint8) for value in (0,) * 5 + (1,) * 5]
    truths = [np.zeros((2, 2), np.uint8)] * len(maps)
    pairs, still = [(i, i + 1) for i in range(9)], FlowField(np.zeros((2, 2, 2), np.float32))
    flow = lambda pair: still  # noqa: E731
    clean, vc8 = consistency(maps, truths, pairs, flow, ["clean", "vc8"], 2, unlabelled=[0])
    assert (clean.pairs, list(clean.controls)) == (9, ["constant", "no_warp"])
    assert vc8.parts == (0,)  # of the nine frames that follow
    assert vc8.controls == {"constant": 100, "truth": 100}
    none, lost = consistency(maps, truths, pairs, flow, ["vc8", "vc16"], 2, unlabelled=[5])
    assert none.reason == lost.reason == "needs the true label map of every frame"


def test_maps_are_asked_for_once_in_the_order_of_the_videos():
    asked = []

    class Asked:
        def __getitem__(self, index):
            asked.append(index)
            return np.zeros((2, 2), np.uint8)

    pairs, still = [(3, 0), (0, 1), (4, 2)], FlowField(np.zeros((2, 2, 2), np.float32))
    consistency(Asked(), None, pairs, lambda pair: still, ["clean", "etc2020", "ewarp"], 2)
    assert asked == [3, 0, 1, 4, 2]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        ([(0, 1)], [[0, 1]]),
        ([(0, 1), (1, 2), (4, 5)], [[0, 1, 2], [4, 5]]),
        ([(3, 7), (0, 3), (7, 1)], [[0, 3, 7, 1]]),
    ],
)
def test_chains_are_runs_without_a_gap(pairs, expected):
    assert chains(pairs) == expected


def test_what_cannot_be_had_is_said():
    clips = Streets()
    alone = consistency(clips.labels[:1], None, (), flows_of(clips, "exact"), ("clean", "ewarp"), K)
    assert [(found.value, found.reason) for found in alone] == [
        (None, "needs 2 consecutive frames of a video")
    ] * 2
    (vc,) = score(clips.labels, clips, ["vc8"], truths=False)
    assert (vc.value, vc.reason) == (None, "needs the true label map of every frame")
    hidden = FlowField(np.zeros((*SIZE, 2), np.float32), None, np.ones(SIZE, bool))
    (blind,) = consistency(clips.labels, None, clips.pairs, lambda pair: hidden, ["clean"], K)
    assert (blind.value, blind.reason, blind.pairs, blind.votes) == (
        None,
        "no pixel has a vote",
        3,
        0,
    )
    (void,) = consistency(
        [np.full(SIZE, VOID, np.uint8)] * 4, None, clips.pairs, clips.exact_flow, ["etc2020"], K
    )
    assert (void.value, void.reason) == (None, "no pixel has a vote")


def test_wrong_input_is_named():
    clips = Streets()
    with pytest.raises(UsageError, match="unknown consistency preset 'cleen'; did you mean clean?"):
        score(clips.labels, clips, ["cleen"])
    with pytest.raises(UsageError, match="unknown flow 'exat'; did you mean exact?"):
        flows_of(clips, "exat")
    with pytest.raises(
        DataError,
        match=r"frames 0 and 1: prediction 32x128 and 32x128, flow 64x128; resize all to the same",
    ):
        score([label[:32] for label in clips.labels], clips)
    clips.exact_flow = lambda pair: None
    with pytest.raises(UsageError, match="does not know its motion; use flow dis"):
        score(clips.labels, clips)


@pytest.mark.slow
def test_maps_may_come_from_a_mapping_and_flow_from_a_cache(tmp_path):
    clips = Streets()
    flows = flows_of(clips, "dis", tmp_path)
    first, again = (
        consistency(dict(enumerate(clips.labels)), None, clips.pairs, flows, ["clean"], K)[0]
        for _ in range(2)
    )
    assert first.value == again.value
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.slow
def test_flow_carries_real_labels(camvid_root):
    """CamVid's validation labels at 15 Hz: DIS explains far more of their change than no motion
    does.
    """
    paths = sorted((camvid_root / "valannot").glob("*.png"))[:5]
    labels = [read_label_map(path, CLASS_SETS["camvid11"], what="truth") for path in paths]
    clips = Streets(frames=len(paths), size=(16, 16))
    clips.picture = lambda index: np.asarray(
        Image.open(camvid_root / "val" / paths[index].name).convert("RGB")
    )
    found, etc = consistency(
        labels, None, clips.pairs, flows_of(clips, "dis"), ("clean", "etc2020"), K
    )
    assert found.value > found.controls["no_warp"] + 8
    assert found.value > 85
    assert etc.value < found.value


def test_a_motion_is_worked_out_once():
    motion = Warp(FlowField(np.zeros((4, 4, 2), np.float32)))
    assert motion.doubtful is motion.doubtful


def test_flow_of_many_large_frames_is_not_kept(tmp_path):
    class Many:
        pairs = ((0, 1),) * 24_159

        def picture(self, index):
            return np.zeros((480, 853, 3), np.uint8)

    class Few(Many):
        pairs = ((0, 1),)

    assert flow_bytes(Many(), "dis") == 0
    assert flow_bytes(Few(), "dis") == 16 * 480 * 853
    assert flow_bytes(Few(), "exact") == flow_bytes(Few(), "zero") == 0
    flows_of(Many(), "dis", tmp_path)((0, 1))
    assert not list(tmp_path.iterdir())
    flows_of(Few(), "dis", tmp_path)((0, 1))
    assert list(tmp_path.iterdir())
