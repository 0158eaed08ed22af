import pytest

from msaf_bench.data.frame_folders import neighbours


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
        ([], [], [], ()),
    ],
)
def test_which_frames_follow_each_other(keys, pairs, gaps, steps):
    found = neighbours(keys)
    assert list(found.pairs) == pairs
    assert list(found.gaps) == gaps
    assert found.steps == steps
