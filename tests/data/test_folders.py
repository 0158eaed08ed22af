"""Files by their names: order, keys, what is passed over and what is refused."""

import pytest

from msaf_bench.data.folders import list_by_key
from msaf_bench.errors import DataError

SUFFIXES = (".png", ".jpg")


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_order_is_natural_and_other_files_are_passed_over(tmp_path):
    make(tmp_path, "b/f10.png", "b/f9.JPG", "a.b.png", "._a.png", ".hidden.png", "notes.txt", "png")
    assert list(list_by_key(tmp_path, SUFFIXES, "frame")) == ["a.b", "b/f9", "b/f10"]
    assert list(list_by_key(tmp_path, SUFFIXES, "frame", deep=False)) == ["a.b"]


def test_a_folder_without_such_files_is_named(tmp_path):
    with pytest.raises(DataError, match="none: no such folder; give a folder of frames"):
        list_by_key(tmp_path / "none", SUFFIXES, "frame")
    with pytest.raises(DataError, match=r"no frame there \(\.png, \.jpg\)"):
        list_by_key(tmp_path, SUFFIXES, "frame")
    make(tmp_path, "a.png", "a.jpg")
    with pytest.raises(DataError, match=r"a\.png: a\.jpg is there too"):
        list_by_key(tmp_path, SUFFIXES, "frame")


def test_what_is_no_file_is_listed_for_its_reader_to_say(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").symlink_to("gone")
    assert list(list_by_key(tmp_path, SUFFIXES, "frame")) == ["a", "b"]
