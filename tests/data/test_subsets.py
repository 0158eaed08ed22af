"""Views of a split: what is held out for tuning, and another past."""

import cv2
import numpy as np
import pytest

from msaf_bench.catalog import read_conditions
from msaf_bench.data import open_split
from msaf_bench.data.flow import FlowField
from msaf_bench.data.subsets import aligned, hold_out
from msaf_bench.errors import DataError, UsageError

VIDEOS = {"train_videos": 8, "score_videos": 4, "video_frames": 5}
CLEAN = dict.fromkeys(("blur", "occluders", "rain", "flicker", "noise"), 0.0)


def conditions(**changes):
    return read_conditions(
        "smoke", "street", {"size": (64, 128), "data_options": VIDEOS | CLEAN, **changes}
    )


def videos(clips):
    return {clips[i].name.split("/")[0] for i in range(len(clips))}


@pytest.mark.slow
def test_the_tuning_split_is_cut_from_train_between_videos():
    whole, scored = (open_split(conditions(), split) for split in ("train", "score"))
    learn, test = (open_split(conditions(scored="tune"), split) for split in ("train", "score"))
    assert videos(learn) | videos(test) == videos(whole)
    assert not videos(learn) & videos(test)
    assert not videos(test) & videos(scored)
    assert len(test) == len(whole) // 4
    assert learn.fingerprint != test.fingerprint != whole.fingerprint
    assert [test[i].name for i in range(len(test))] == [
        whole[i].name for i in range(len(learn), len(whole))
    ]
    assert all(test.videos[a] == test.videos[b] for a, b in test.pairs)


def test_inside_one_video_no_frame_is_on_both_sides():
    whole = open_split(
        conditions(data_options=VIDEOS | CLEAN | {"train_videos": 1, "video_frames": 22}), "train"
    )
    learn, test = hold_out(whole, 3, "a test")
    last, first = (
        int(clips[i].name.split("/")[1]) for clips, i in ((learn, len(learn) - 1), (test, 0))
    )
    assert first - 2 > last


class Footage:
    """A split of which only its videos are known."""

    classes = colours = ()
    fingerprint, repeated, skipped = "0" * 12, 0, 0

    def __init__(self, *sizes):
        self.videos = tuple(str(i) for i, size in enumerate(sizes) for _ in range(size))
        self.pairs = tuple(
            (i, i + 1) for i in range(len(self) - 1) if self.videos[i] == self.videos[i + 1]
        )

    def __len__(self):
        return len(self.videos)


@pytest.mark.parametrize(
    ("sizes", "held", "ranges"),
    [
        ((8, 8, 8, 8), {"3"}, "24:32"),
        ((2, 3, 2, 3, 2, 3), {"5"}, "12:15"),
        ((9, 1, 1, 9), {"1", "2"}, "9:11"),  # neither of the long ones
        ((62, 101, 204), {"0"}, "0:62"),
        ((1, 9, 1, 9), {"2", "0"}, "0:1,10:11"),
        ((7, 5, 6), {"1"}, "7:12"),  # each is more than a quarter: the smallest
    ],
)
def test_whole_videos_are_held_out(sizes, held, ranges):
    whole = Footage(*sizes)
    left, out = hold_out(whole, 3, "a test")
    assert set(out.videos) == held
    assert set(left.videos) == set(whole.videos) - held
    assert len(left) + len(out) == len(whole)
    assert out.fingerprint == f"{whole.fingerprint}[{ranges}]"
    for part in (left, out):
        assert all(part.videos[a] == part.videos[b] for a, b in part.pairs)
    assert len(left.pairs) + len(out.pairs) == len(whole.pairs)


def test_a_video_that_is_nearly_everything_is_cut():
    left, out = hold_out(Footage(40), 3, "a test")
    assert (left.fingerprint[12:], out.fingerprint[12:]) == ("[0:30]", "[32:40]")


@pytest.mark.slow
@pytest.mark.parametrize("scored", ["score", "tune"])
def test_validation_is_held_out_of_what_is_left_for_training(scored):
    plain = conditions(scored=scored)
    whole, scored_on = (open_split(plain, split) for split in ("train", "score"))
    checked = conditions(scored=scored, validate_every=2)
    learn, held, test = (open_split(checked, split) for split in ("train", "validate", "score"))
    assert set(learn.videos) | set(held.videos) == set(whole.videos)
    assert not set(learn.videos) & set(held.videos)
    assert not {*learn.videos, *held.videos} & set(test.videos)
    assert test.fingerprint == scored_on.fingerprint
    assert len(learn) > len(held) > 0
    assert [held[i].name.split("/")[0] for i in range(len(held))] == list(held.videos)


def test_a_sequence_of_cityscapes_is_held_out_whole(cityscapes):
    options = {"size": (8, 16), "validate_every": 2, "data_options": {"allow_partial": True}}
    split = {
        name: open_split(read_conditions("smoke", "cityscapes", options), name, cityscapes)
        for name in ("train", "validate")
    }
    # each of the three is more than a quarter
    assert split["validate"].videos == ("bad-ems_000000",)
    assert split["train"].videos == ("aachen_000000", "aachen_000001")
    assert split["validate"][0].name == "bad-ems_000000/00300"


def test_a_split_too_small_for_validation_is_said():
    few = VIDEOS | {"train_videos": 1, "video_frames": 3}
    with pytest.raises(DataError, match="1 training clips are too few .* set validate_every=0"):
        open_split(conditions(validate_every=1, data_options=few), "train")


def test_too_few_clips_cannot_be_cut():
    with pytest.raises(DataError, match="too few"):
        open_split(
            conditions(scored="tune", data_options=VIDEOS | {"train_videos": 1, "video_frames": 3}),
            "score",
        )


def test_a_still_past_repeats_the_newest_frame():
    clip = open_split(conditions(past="still"), "score")[3]
    assert all(np.array_equal(frame, clip.frames[-1]) for frame in clip.frames)


def test_strangers_are_of_another_video_and_change_the_past_alone():
    real, strange = (
        open_split(conditions(), "score"),
        open_split(conditions(past="strangers"), "score"),
    )
    for i in range(len(real)):
        assert np.array_equal(strange[i].frames[-1], real[i].frames[-1])
        assert np.array_equal(strange[i].label, real[i].label)
        donors = [
            j
            for j in range(len(real))
            if np.array_equal(real[j].frames[:-1], strange[i].frames[:-1])
        ]
        assert len(donors) == 1
        assert real[donors[0]].name.split("/")[0] != real[i].name.split("/")[0]
    assert strange.fingerprint == real.fingerprint


@pytest.mark.slow
def test_the_true_flow_brings_the_past_over_the_newest_frame():
    """Positive control of the oracle: on a clean street the aligned past looks like the newest
    frame, the raw past does not.
    """
    real = open_split(conditions(train_spacing=2, score_spacing=2), "score")
    straight = open_split(
        conditions(train_spacing=2, score_spacing=2, past="aligned", flow="exact"), "score"
    )
    for back in (0, 1):
        raw, oracle = (
            np.mean(
                [
                    np.abs(c[i].frames[back].astype(int) - c[i].frames[-1]).mean()
                    for i in range(len(c))
                ]
            )
            for c in (real, straight)
        )
        assert oracle < 0.5 * raw


def test_flow_over_two_steps_is_the_steps_one_after_the_other():
    """Against following single pixels in float64."""
    from msaf_bench.data.street import make_video

    clips = open_split(conditions(), "score")
    video = make_video(1, 5, (64, 128), **CLEAN)
    flow = clips.exact_past(0)[0]
    rng = np.random.default_rng(0)
    for row, column in zip(rng.integers(20, 60, 20), rng.integers(10, 118, 20), strict=True):
        x, y = float(column), float(row)
        for t in (2, 1):
            whole = video.flow_backward[t].astype(np.float64)
            step = [
                cv2.getRectSubPix(np.ascontiguousarray(whole[..., k], np.float32), (1, 1), (x, y))[
                    0, 0
                ]
                for k in range(2)
            ]
            x, y = x + step[0], y + step[1]
        assert flow.forward[row, column] == pytest.approx((x - column, y - row), abs=0.05)


def test_a_hidden_point_shows_the_newest_frame():
    past, newest = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 9, np.uint8)
    occluded = np.zeros((4, 6), bool)
    occluded[1, 2] = True
    still = np.zeros((4, 6, 2), np.float32)
    still[0, 5] = (3, 0)  # out of the frame
    found = aligned(past, newest, FlowField(still, None, occluded))
    assert found[1, 2, 0] == found[0, 5, 0] == 9
    assert found.sum() == 2 * 3 * 9


def test_an_oracle_without_flow_is_one_line():
    with pytest.raises(UsageError, match="flow=dis"):
        open_split(conditions(past="aligned", flow="none"), "score")
