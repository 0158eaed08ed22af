"""Where commands may write: never on inputs, never on files of others without being told."""

import os

import pytest

from msaf_bench.errors import HostError, UsageError
from msaf_bench.outputs import check_outputs, entering, write_outputs

NAMES = ["a.png", "sub/b.csv"]


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"mine")
    return tmp_path


def linked_folder(root):
    (root / "out").symlink_to("in")


def soft(root):
    (root / "out").mkdir()
    (root / "out" / "a.png").symlink_to(root / "in" / "a.png")


def hard(root):
    (root / "out").mkdir()
    os.link(root / "in" / "a.png", root / "out" / "a.png")


def same(root):
    (root / "out").symlink_to(root / "in" / ".." / "in")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("make", [linked_folder, soft, hard, same])
def test_an_input_is_never_an_output(folders, make, overwrite):
    make(folders)
    with pytest.raises(UsageError, match=r"a\.png would replace the input .*in.a\.png"):
        check_outputs(folders / "out", NAMES, [folders / "in" / "a.png"], overwrite=overwrite)
    assert (folders / "in" / "a.png").read_bytes() == b"mine"


def test_a_file_of_others_stays_unless_it_is_said(folders):
    with pytest.raises(UsageError, match=r"a\.png exists and was not written by.*--overwrite"):
        check_outputs(folders / "in", NAMES)
    check_outputs(folders / "in", NAMES, overwrite=True)
    check_outputs(folders / "in", ["other.png"])


def test_what_was_written_before_may_be_replaced_until_somebody_changes_it(folders):
    out = folders / "out"
    for content in ("one", "two"):
        check_outputs(out, NAMES)
        assert write_outputs(out, dict.fromkeys(NAMES, content)) == [out / name for name in NAMES]
        assert (out / "sub" / "b.csv").read_text() == content
    (out / "sub" / "b.csv").write_text("edited")
    with pytest.raises(UsageError, match=r"sub/b\.csv exists and was not written by"):
        check_outputs(out, NAMES)


def test_a_killed_command_leaves_what_its_next_run_may_replace(folders, monkeypatch):
    out = folders / "out"
    write_outputs(out, {"a.png": "one", "b.png": "one"})

    def cut(path, content):
        if path.name == "b.png":
            raise KeyboardInterrupt
        real(path, content)

    from msaf_bench import outputs

    real = outputs.write_atomic
    monkeypatch.setattr(outputs, "write_atomic", cut)
    with pytest.raises(KeyboardInterrupt):
        write_outputs(out, {"a.png": "two", "b.png": "two"})
    check_outputs(out, ["a.png", "b.png"])


def test_files_written_one_by_one_are_entered_also_after_an_error(folders):
    out = folders / "out"
    out.mkdir()

    def fail():
        with entering(out) as written:
            (out / "a.png").write_bytes(b"ours")
            written.append("a.png")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    check_outputs(out, ["a.png"])


def test_a_damaged_ledger_makes_nothing_ours(folders):
    write_outputs(folders / "out", {"a.png": "one"})
    (folders / "out" / ".msaf-bench.json").write_bytes(b"\xff{")
    with pytest.raises(UsageError, match="not written by"):
        check_outputs(folders / "out", ["a.png"])


def test_a_file_in_place_of_the_folder(folders):
    with pytest.raises(HostError, match="not a writable folder"):
        check_outputs(folders / "in" / "a.png", NAMES)


@pytest.mark.parametrize("place", ["in", "in/deeper", "link", "in/../in"])
def test_no_picture_comes_among_those_that_are_listed(folders, place):
    (folders / "link").symlink_to("in")
    with pytest.raises(UsageError, match=r"x\.png would lie among the input files of .*in;"):
        check_outputs(
            folders / place,
            ["x.csv", "x.png"],
            listed=[folders / "other", folders / "in"],
            overwrite=True,
        )
    check_outputs(folders / place, ["x.csv"], listed=[folders / "in"])
    check_outputs(folders / "beside", ["x.png"], listed=[folders / "in"])


def a_folder(path):
    path.mkdir()


def nowhere(path):
    path.symlink_to("nowhere")


def itself(path):
    path.symlink_to(path)


@pytest.mark.parametrize("make", [os.mkfifo, a_folder, nowhere, itself])
def test_what_is_no_file_is_never_replaced(folders, make):
    make(folders / "out.csv")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"out\.csv exists and is not a file"):
            check_outputs(folders, ["out.csv"], overwrite=overwrite)


def test_a_link_that_leads_nowhere_is_no_folder_to_write_to(folders):
    (folders / "reports").symlink_to("nowhere")
    with pytest.raises(HostError, match="reports is not a writable folder"):
        check_outputs(folders / "reports", NAMES)


@pytest.mark.parametrize(
    "text", ['{"a.png": 5}', "null", '{"a.png": [1]}', "[" * 100_000, '"x"', "\udc80"]
)
def test_a_ledger_of_another_shape_makes_nothing_ours(folders, text):
    (folders / "in" / ".msaf-bench.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match="not written by"):
        check_outputs(folders / "in", NAMES)
    write_outputs(folders / "in", {"c.txt": "c"})
