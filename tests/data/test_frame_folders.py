"""Which frames follow each other, whatever their names are made of."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from msaf_bench.data.frame_folders import neighbours
from msaf_bench.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("keys", "pairs", "gaps", "steps"),
    [
        (["0001TP_008550", "0001TP_008580", "0016E5_08580"], [(0, 1)], [], (30,)),
        (["0016E5_07959", "0016E5_07961", "0016E5_07965"], [(0, 1)], [(1, 2)], (2,)),
        (["x_000000_000009_leftImg8bit", "x_000000_000010_leftImg8bit", "x_000001_000011_leftImg8bit"], [(0, 1)], [], (1,)),
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


START = datetime(2024, 2, 28, 23, 59, 58, tzinfo=UTC)
TIMES = [START + timedelta(milliseconds=125 * t) for t in range(24)]
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
    "nanoseconds with jitter": [f"{1403636579763555584 + 50_000_000 * t + JITTER.randint(-4_000_000, 4_000_000)}" for t in range(20)],
    "seconds with fraction": [f"{1305031102 + t / 30:.6f}" for t in range(90)],
    "short seconds": [f"{t / 10:.2f}" for t in range(30)],
    "seconds and nanoseconds": [f"{1403636579 + t // 20}_{t % 20 * 50_000_000}" for t in range(45)],
    "dates": [f"cam_{at:%Y-%m-%d_%H-%M-%S}-{at.microsecond // 1000:03d}" for at in TIMES],
    "dates, compact": [f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}" for at in TIMES],
    "days": [f"{START + timedelta(days=t):%Y%m%d}" for t in range(60)],
    "days with dashes": [f"{START + timedelta(days=t):%Y-%m-%d}" for t in range(60)],
    "counter and time stamp": [f"{t:06d}_{33 * t + 1000}" for t in range(20)],
    "date of the session": [f"20230501_{t:04d}" for t in range(20)],
    "no number": ["dawn", "noon", "night"],
}


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


@pytest.mark.parametrize("kind", [kind for kind in EVEN if kind not in ("no number", "hexadecimal, few", "counter and time stamp")])
def test_a_frame_that_is_missing_is_a_gap_and_the_rest_stays(kind):
    names = EVEN[kind]
    found = neighbours(names[:5] + names[6:])
    assert (len(found.pairs), found.gaps) == (len(names) - 3, ((4, 5),))


def test_a_date_at_the_end_of_a_year_or_in_february_is_no_gap():
    assert len(neighbours(["2023-12-31", "2024-01-01", "2024-01-02"]).pairs) == 2


AMBIGUOUS = {
    "as many videos as frames": [f"{a}_{b}" for a in range(3) for b in range(3)],
    "many short videos, or versions": [f"{a:04d}_{b}" for a in range(20) for b in range(2)],
    "uneven numbers": ["3", "17", "50", "51", "90", "300"],
    "a number that means nothing": [f"{t:03d}_q{q}" for t, q in enumerate((80, 95, 20, 33))][::2] + ["7_q1", "5_q77"],
    "names that differ in their words": ["frame1_good", "frame2_bad"],
    "one number twice": ["a01", "a1", "a2"],
}


@pytest.mark.parametrize("names", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_not_clear_stops_and_shows_two_names(names):
    with pytest.raises(DataError, match="--frame-pattern") as error:
        neighbours(names)
    assert sum(repr(name) in str(error.value) for name in names) == 2
    assert "\n" not in str(error.value)


def test_several_videos_in_a_folder_are_told_by_the_field_that_varies_fastest():
    found = neighbours([f"cam{v}_{t:04d}" for v in (1, 2) for t in range(10)])
    assert (len(found.pairs), len(found.videos)) == (18, 2)


@pytest.mark.parametrize(
    ("names", "pattern", "pairs"),
    [
        ([f"{a}_{b}" for a in range(3) for b in range(3)], "*_{frame}", 6),
        ([f"{a}_{b}" for a in range(3) for b in range(3)], "{frame}_*", 6),
        ([f"v/{a:04d}_{b}" for a in range(20) for b in range(2)], "{frame}_*", 38),
        (["3", "17", "18", "90"], "{frame}", 1),
        (["10", "11", "12"], "{hex}", 2),
        (["1.5", "1.10", "1.9"], "{seconds}", 2),
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


@pytest.mark.parametrize("kind", [kind for kind in EVEN if kind != "no number"])
def test_the_inferred_pattern_can_be_given(kind):
    found = neighbours(EVEN[kind])
    (pattern,) = found.numbers.patterns
    assert neighbours(EVEN[kind], pattern).pairs == found.pairs


def test_the_reading_is_described():
    found = neighbours(EVEN["version behind"])
    read = {"img_0000_v2": "0", "img_0001_v2": "1"}
    assert found.describe(EVEN["version behind"]) == {"kind": "decimal", "patterns": ["img_{frame}_v2"], "videos": 1, "read": read}
