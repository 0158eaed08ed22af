"""Which frames follow each other, whatever their names are made of."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from msaf_bench.data.frames.neighbours import neighbours
from msaf_bench.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("keys", "pairs", "gaps", "steps"),
    [
        (["0001TP_008550", "0001TP_008580", "0016E5_08580"], [(0, 1)], [], (30,)),
        (["0016E5_07959", "0016E5_07961", "0016E5_07965"], [(0, 1)], [(1, 2)], (2,)),
        (
            [
                "x_000000_000009_leftImg8bit",
                "x_000000_000010_leftImg8bit",
                "x_000001_000011_leftImg8bit",
            ],
            [(0, 1)],
            [],
            (1,),
        ),
        (["v/1", "v/2", "w/3"], [(0, 1)], [], (1,)),
        (["frame10", "frame11"], [(0, 1)], [], (1,)),
        (["frame11", "frame9", "frame10"], [(1, 2), (2, 0)], [], (1,)),
        (["v/dawn", "v/noon", "w/night"], [(0, 1)], [], ()),
        (["only_1"], [], [], ()),
        (["v/1", "v/2", "v/3", "w/10", "w/500"], [(0, 1), (1, 2)], [(3, 4)], (1,)),
        ([], [], [], ()),
    ],
)
def test_which_frames_follow_each_other(keys, pairs, gaps, steps):
    found = neighbours(keys)
    assert list(found.pairs) == pairs
    assert list(found.gaps) == gaps
    assert found.steps == steps


def clock(at):
    return f"{at.hour}_{at.minute}_{at.second}_{at.microsecond // 1000:03d}"


START = datetime(2024, 2, 28, 23, 59, 58, tzinfo=UTC)
TIMES = [START + timedelta(milliseconds=125 * t) for t in range(24)]
NOON = datetime(2024, 2, 8, 11, 58, 50, tzinfo=UTC)
JITTER = random.Random(0)
EVEN = {
    "counter": [f"img_{t:04d}" for t in range(20)],
    "counter, not padded": [f"img{t}" for t in range(20)],
    "version behind": [f"img_{t:04d}_v2" for t in range(20)],
    "backbone behind": [f"{t:04d}_r50" for t in range(20)],
    "size behind": [f"clip_{t:04d}_480x360" for t in range(20)],
    "epoch behind": [f"{t:04d}_epoch80" for t in range(20)],
    "number in front": [f"cam2_{t:04d}_leftImg8bit" for t in range(20)],
    "letters around": [f"a{t}b" for t in range(20)],
    "hexadecimal": [f"frame_{t:04x}" for t in range(40)],
    "hexadecimal, not padded": [f"{t:x}" for t in range(40)],
    "hexadecimal, capitals": [f"f{t:03X}_x" for t in range(200, 300)],
    "hexadecimal, few": ["0a", "0b", "0c"],
    "milliseconds": [f"{round(1000 * t / 30)}" for t in range(1, 13)],
    "milliseconds, 240 Hz": [f"{round(1000 * t / 240)}" for t in range(1, 40)],
    "nanoseconds with jitter": [
        f"{1403636579763555584 + 50_000_000 * t + JITTER.randint(-4_000_000, 4_000_000)}"
        for t in range(20)
    ],
    "seconds with fraction": [f"{1305031102 + t / 30:.6f}" for t in range(90)],
    "short seconds": [f"{t / 10:.2f}" for t in range(30)],
    "seconds and nanoseconds": [f"{1403636579 + t // 20}_{t % 20 * 50_000_000}" for t in range(45)],
    "dates": [f"cam_{at:%Y-%m-%d_%H-%M-%S}-{at.microsecond // 1000:03d}" for at in TIMES],
    "dates, compact": [f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}" for at in TIMES],
    "days": [f"{START + timedelta(days=t):%Y%m%d}" for t in range(60)],
    "days with dashes": [f"{START + timedelta(days=t):%Y-%m-%d}" for t in range(60)],
    "counter and time stamp": [f"{t:06d}_{33 * t + 1000}" for t in range(20)],
    "date of the session": [f"20230501_{t:04d}" for t in range(20)],
    "seconds of any length": [f"frame_t{t / 4:g}" for t in range(30)],
    "seconds of any length, alone": [f"{t / 4:g}" for t in range(30)],
    "seconds and microseconds": [f"{1305031102 + t // 4}_{t % 4 * 250_000:06d}" for t in range(30)],
    "seconds and milliseconds": [
        f"{1305031102 + t // 30}_{t % 30 * 1000 // 30:03d}" for t in range(90)
    ],
    "seconds and milliseconds, not padded": [
        f"{1305031102 + t // 30}_{t % 30 * 1000 // 30}" for t in range(90)
    ],
    "counter and seconds": [f"{t:04d}_{t / 30:.3f}" for t in range(90)],
    "counter and date": [
        f"{t:04d}_{START + timedelta(seconds=t):%Y-%m-%d_%H-%M-%S}" for t in range(200)
    ],
    "counter and time of day": [
        f"{t:04d}_{NOON + timedelta(seconds=t):%H-%M-%S}" for t in range(200)
    ],
    "time of day": [f"{NOON + timedelta(seconds=t):%H-%M-%S}" for t in range(200)],
    "time of day, five seconds": [
        f"{NOON + timedelta(seconds=5 * t):%H.%M.%S}" for t in range(200)
    ],
    "time of day with letters": [f"{NOON + timedelta(seconds=t):%Hh%Mm%S}" for t in range(200)],
    "time of day behind a day": [
        f"{NOON + timedelta(seconds=t):%d-%m-%Y_%H-%M-%S}" for t in range(200)
    ],
    "time of day behind a short day": [
        f"{NOON + timedelta(seconds=t):%d-%m-%y_%H-%M-%S}" for t in range(200)
    ],
    "time of day and milliseconds": [
        clock(NOON + timedelta(milliseconds=100 * t)) for t in range(195)
    ],
    "no number": ["dawn", "noon", "night"],
}


@pytest.mark.slow
@pytest.mark.parametrize("names", EVEN.values(), ids=EVEN)
def test_an_even_video_has_all_its_pairs(names):
    order = list(range(len(names)))
    random.Random(1).shuffle(order)
    if names != EVEN["no number"]:
        names = [names[i] for i in order]
        expected = {(order.index(t), order.index(t + 1)) for t in range(len(order) - 1)}
    else:
        expected = {(0, 1), (1, 2)}
    found = neighbours(names)
    assert (set(found.pairs), found.gaps, len(found.videos)) == (expected, (), 1)
    nested = neighbours([f"v{v}/{name}" for v in (1, 2) for name in names])
    assert (len(nested.pairs), len(nested.videos)) == (2 * len(expected), 2)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in EVEN
        if kind not in ("no number", "hexadecimal, few") and "counter and" not in kind
    ],
)
def test_a_frame_that_is_missing_is_a_gap_and_the_rest_stays(kind):
    names = EVEN[kind]
    found = neighbours(names[:5] + names[6:])
    assert (len(found.pairs), found.gaps) == (len(names) - 3, ((4, 5),))


def test_a_date_at_the_end_of_a_year_or_in_february_is_no_gap():
    assert len(neighbours(["2023-12-31", "2024-01-01", "2024-01-02"]).pairs) == 2


SCORES = random.Random(0)
AMBIGUOUS = {
    "as many videos as frames": [f"{a}_{b}" for a in range(3) for b in range(3)],
    "many short videos, or versions": [f"{a:04d}_{b}" for a in range(20) for b in range(2)],
    "uneven numbers": ["3", "17", "50", "51", "90", "300"],
    "a number that means nothing": (
        [f"{t:03d}_q{q}" for t, q in enumerate((80, 95, 20, 33))][::2] + ["7_q1", "5_q77"]
    ),
    "names that differ in their words": ["frame1_good", "frame2_bad"],
    "one number twice": ["a01", "a1", "a2"],
    "labelled frames of Cityscapes": [
        f"frankfurt_000000_{t:06d}"
        for t in (294, 576, 1016, 1236, 1751, 2196, 2963, 3025, 3357, 3920)
    ],
    "labelled frames of Cityscapes, many videos": [
        f"aachen_{v:06d}_000019_leftImg8bit" for v in range(20)
    ],
    "counter and score": [
        f"frame_{t:04d}_{0.5 + 0.01 * SCORES.randrange(25):.2f}" for t in range(30)
    ],
    "counter and fine score": [
        f"frame_{t:04d}_{0.5 + 0.013 * (7 * t % 29):.3f}" for t in range(30)
    ],
    "hexadecimal with gaps": [
        f"{v}_{t:04x}" for v in ("front", "rear") for t in sorted(SCORES.sample(range(100), 70))
    ],
    "hexadecimal behind letters": [f"cam{v}{t:04x}" for v in "LR" for t in range(100)],
    "clips of sixty frames, or minutes": [f"1_{k}_{t}" for k in range(5) for t in range(60)],
    "midnight": [f"{START + timedelta(seconds=t - 90):%H-%M-%S}" for t in range(200)],
    "midnight, with the day": [
        f"{START + timedelta(seconds=t - 90):%d-%m-%Y_%H-%M-%S}" for t in range(200)
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("names", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_not_clear_stops_and_shows_two_names(names):
    with pytest.raises(DataError, match="--frame-pattern") as error:
        neighbours(names)
    assert sum(repr(name) in str(error.value) for name in names) == 2
    assert "\n" not in str(error.value)


def test_several_videos_in_a_folder_are_told_by_the_field_that_varies_fastest():
    found = neighbours([f"cam{v}_{t:04d}" for v in (1, 2) for t in range(10)])
    assert (len(found.pairs), len(found.videos)) == (18, 2)


SEVERAL = {
    "snippets of Cityscapes": [
        [f"aachen_{v:06d}_{t:06d}_leftImg8bit" for t in range(30)] for v in range(3)
    ],
    "seconds of any length": [[f"cam{v}_{t / 4:g}" for t in range(50)] for v in (1, 2)],
    "hexadecimal": [[f"{v}_{t:04x}" for t in range(40)] for v in ("front", "rear")],
    "hexadecimal, few": [[f"{v}_{t:04x}" for t in range(8, 12)] for v in ("front", "rear")],
    "hexadecimal in front": [[f"{t:x}_{v}" for t in range(300)] for v in ("front", "rear")],
    "letters of cameras": [[f"cam_{v}1_{t:04d}" for t in range(2)] for v in "abcd"],
    "letters behind": [[f"frame{t}{v}" for t in range(20)] for v in "ab"],
    "counter and milliseconds": [
        [f"v{v}_frame{t}_{t * 1000 // 30}ms" for t in range(10)] for v in (1, 2)
    ],
    "counter that goes on, and milliseconds": [
        [f"v{v}_frame{20 * v + t}_{t * 1000 // 30}ms" for t in range(20)] for v in range(3)
    ],
    "counter and seconds": [[f"v{v}_{t:04d}_{t / 30:.3f}" for t in range(90)] for v in (1, 2)],
    "counter and two times": [
        [f"v{v}_{t:04d}_{33 * t}_{33 * t + 100_000}" for t in range(90)] for v in (1, 2)
    ],
    "counter and time in front": [
        [f"{t:04d}_{33 * t}ms_cam{v}" for t in range(90)] for v in (1, 2)
    ],
    "counter and time of day": [
        [f"cam{v}_{t:04d}_{NOON + timedelta(seconds=t):%H-%M-%S}" for t in range(200)]
        for v in (1, 2)
    ],
    "time of day": [
        [f"cam{v}_{NOON + timedelta(seconds=t):%H-%M-%S}" for t in range(200)] for v in (1, 2)
    ],
    "scenes and clips": [[f"1_{k}_{t}" for t in range(50)] for k in range(4)],
}


@pytest.mark.slow
@pytest.mark.parametrize("videos", SEVERAL.values(), ids=SEVERAL)
def test_several_videos_in_a_folder_have_all_their_pairs_and_no_other(videos):
    names = [name for video in videos for name in video]
    random.Random(2).shuffle(names)
    found = neighbours(names)
    assert {(names[a], names[b]) for a, b in found.pairs} == {
        pair for video in videos for pair in pairwise(video)
    }
    assert found.gaps == ()
    assert len(found.videos) == len(videos)


@pytest.mark.parametrize(
    ("names", "step"),
    [
        (["1305031102_500", "1305031103_000", "1305031103_500"], 0.5),
        (["1305031102_500000", "1305031103_000000", "1305031103_500000"], 0.5),
        (["1305031102_950", "1305031103_0", "1305031103_50"], 0.05),
        (["1305031102_950000000", "1305031103_0", "1305031103_50000000"], 0.05),
        (["0", "0.25", "0.5"], 0.25),
        (["9_59_59_950", "10_0_0_000", "10_0_0_050", "10_0_0_100"], 0.05),
    ],
)
def test_a_step_of_time_is_in_seconds(names, step):
    assert neighbours(names).steps == (step,)


def test_a_whole_day_of_times_is_one_video():
    found = neighbours(
        [
            f"{datetime(2024, 2, 28, tzinfo=UTC) + timedelta(minutes=7 * t):%H-%M-%S}"
            for t in range(206)
        ]
    )
    assert (len(found.pairs), found.gaps, len(found.videos)) == (205, (), 1)


@pytest.mark.parametrize(
    ("names", "pattern", "pairs"),
    [
        ([f"{a}_{b}" for a in range(3) for b in range(3)], "*_{frame}", 6),
        ([f"{a}_{b}" for a in range(3) for b in range(3)], "{frame}_*", 6),
        ([f"v/{a:04d}_{b}" for a in range(20) for b in range(2)], "{frame}_*", 38),
        (["3", "17", "18", "90"], "{frame}", 1),
        (["10", "11", "12"], "{hex}", 2),
        (["1.5", "1.10", "1.9"], "{seconds}", 2),
        (
            ["frankfurt_000000_000294", "frankfurt_000000_000576", "frankfurt_000000_000638"],
            "*_{frame}",
            1,
        ),
        (["a 23-59-59", "a 23-59-58", "b 00-00-00"], "* {clock}", 1),
        (["1/image", "2/image", "3/image"], "{frame}/image", 2),
        (["cam 2023-12-31", "cam 2024-01-01"], "cam {date}", 1),
    ],
)
def test_a_pattern_is_believed(names, pattern, pairs):
    found = neighbours(names, pattern)
    assert len(found.pairs) == pairs
    assert found.numbers.patterns == (pattern,)


@pytest.mark.parametrize("pattern", ["img", "img_{number}", "{frame}_{hex}", "{frame}_{frame}"])
def test_a_pattern_without_one_field_is_refused(pattern):
    with pytest.raises(UsageError, match="needs one of"):
        neighbours(["img_1"], pattern)


def test_a_name_that_does_not_match_is_named():
    with pytest.raises(DataError, match="'b_2' does not match --frame-pattern 'a_{frame}'"):
        neighbours(["a_1", "b_2"], "a_{frame}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in EVEN if kind != "no number"])
def test_the_inferred_pattern_can_be_given(kind):
    found = neighbours(EVEN[kind])
    (pattern,) = found.numbers.patterns
    assert neighbours(EVEN[kind], pattern).pairs == found.pairs


def test_the_reading_is_described():
    found = neighbours(EVEN["version behind"])
    read = {"img_0000_v2": "0", "img_0001_v2": "1"}
    assert found.describe(EVEN["version behind"]) == {
        "kind": "decimal",
        "patterns": ["img_{frame}_v2"],
        "videos": 1,
        "read": read,
    }
