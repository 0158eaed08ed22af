"""Files by their names: order, keys, what is passed over and what is refused."""

import os

import pytest

from msaf_bench.errors import DataError
from msaf_bench.folders import LITTER, is_litter, list_by_key, list_folder

SUFFIXES = (".png", ".jpg")


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_order_is_natural_and_other_files_are_passed_over(tmp_path):
    make(tmp_path, "b/f10.png", "b/f9.JPG", "a.b.png", "._a.png", ".hidden.png", "notes.txt", "png")
    assert list(list_by_key(tmp_path, SUFFIXES, "frame").by_key) == ["a.b", "b/f9", "b/f10"]
    assert list(list_by_key(tmp_path, SUFFIXES, "frame", deep=False).by_key) == ["a.b"]


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
    assert list(list_by_key(tmp_path, SUFFIXES, "frame").by_key) == ["a", "b"]


LITTERED = [
    ".ipynb_checkpoints/a-checkpoint.png",
    "v/.ipynb_checkpoints/a-checkpoint.png",
    "._a.png",
    "v/._a.png",
    ".DS_Store",
    "Thumbs.db",
    "__MACOSX/v/a.png",
    "__macosx/v/._a.png",
    "v/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
    "@eaDir/a.png",
    ".hidden/deep/a.png",
    "$RECYCLE.BIN/a.png",
]


@pytest.mark.parametrize("name", LITTERED)
def test_litter_is_passed_over_and_said(tmp_path, name):
    make(tmp_path, "a.png", "v/a.png", name)
    listing = list_folder(tmp_path, SUFFIXES)
    assert listing.names == ("a.png", "v/a.png")
    (ignored,) = listing.ignored
    assert ignored.names == 1
    assert name.startswith(ignored.first)
    assert ignored.why == "hidden, or left by the system"
    assert is_litter(name)


def test_the_folder_itself_may_be_hidden(tmp_path):
    make(tmp_path / ".hidden" / "Thumbs.db", "a.png")
    assert list_folder(tmp_path / ".hidden" / "Thumbs.db", SUFFIXES).names == ("a.png",)
    assert all(name == name.lower() for name in LITTER)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".Png"])
def test_any_case_of_a_suffix(tmp_path, suffix):
    make(tmp_path, f"b{suffix}")
    assert list(list_by_key(tmp_path, SUFFIXES, "frame").by_key) == ["b"]


def test_links_are_followed(tmp_path):
    make(tmp_path, "real/a.png", "in/b/c.png")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "in" / "again").symlink_to("linked")
    (tmp_path / "in" / "file.png").symlink_to(tmp_path / "real" / "a.png")
    (tmp_path / "root").symlink_to("in")
    for folder in ("in", "root"):
        assert list_folder(tmp_path / folder, SUFFIXES).names == (
            "again/a.png",
            "b/c.png",
            "file.png",
            "linked/a.png",
        )


def test_links_in_a_circle_end(tmp_path):
    make(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    listing = list_folder(tmp_path, SUFFIXES)
    assert {"a/x.png", "b/y.png", "a/b/y.png", "b/a/x.png"} == set(listing.names)
    assert any("link back" in ignored.why for ignored in listing.ignored)


def test_what_is_ignored_is_counted_by_kind(tmp_path):
    make(tmp_path, "a.png", "1.txt", "2.csv", "10.md", "sub/b.png")
    ignored = list_folder(tmp_path, SUFFIXES, deep=False).ignored
    assert {(each.why, each.names, each.first) for each in ignored} == {
        ("not .png or .jpg", 3, "1.txt"),
        ("a subfolder", 1, "sub"),
    }
    assert str(ignored[0]).startswith(f"{tmp_path}: ignored ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_subfolder_that_cannot_be_read_is_an_error_and_not_left_out(tmp_path):
    make(tmp_path, "a.png", "b/c.png")
    (tmp_path / "b").chmod(0)
    try:
        with pytest.raises(DataError, match="cannot be listed"):
            list_folder(tmp_path, SUFFIXES)
    finally:
        (tmp_path / "b").chmod(0o755)


def test_links_to_themselves_are_links_that_lead_nowhere(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    found = list_folder(tmp_path, (".png",))
    assert found.names == ("a.png",)
    assert sum(each.names for each in found.ignored) == 3


def test_folders_without_end_are_refused(tmp_path):
    deep = tmp_path
    for _ in range(80):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="folders inside each other"):
        list_folder(tmp_path, (".png",))
