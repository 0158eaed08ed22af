import numpy as np
import pytest
from PIL import Image

from msaf_bench.data.frame_folders import list_pictures, neighbours
from msaf_bench.errors import DataError


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


def test_pictures_come_in_natural_order(tmp_path):
    for name in ("b/frame10.png", "b/frame9.png", "a/x.jpg"):
        save(tmp_path / name)
    (tmp_path / "b" / "notes.txt").write_text("")
    assert list(list_pictures(tmp_path)) == ["a/x", "b/frame9", "b/frame10"]


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(DataError, match="no frame there"):
        list_pictures(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        list_pictures(tmp_path / "none")
    save(tmp_path / "a.png")
    save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="is there too"):
        list_pictures(tmp_path)


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
