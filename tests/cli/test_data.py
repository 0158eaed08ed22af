"""`msaf-bench data`: check and plan, as text and as JSON, and their exit codes."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from msaf_bench.cli import main

PARTIAL = ["--set", "data_options.allow_partial=true"]
FRAMES = {"train": ("aachen_000000", 19), "val": ("lindau_000003", 19)}


@pytest.fixture
def root(tmp_path):
    """One labelled frame a split, the one before it, and none before that."""
    for part, (video, number) in FRAMES.items():
        city = video.partition("_")[0]
        files = {
            f"leftImg8bit/{part}/{city}/{video}_{number:06d}_leftImg8bit.png": np.full(
                (32, 64, 3), len(part), np.uint8
            ),
            f"leftImg8bit_sequence/{part}/{city}/{video}_{number - 1:06d}_leftImg8bit.png": (
                np.zeros((32, 64, 3), np.uint8)
            ),
            f"gtFine/{part}/{city}/{video}_{number:06d}_gtFine_labelIds.png": (
                np.repeat([[7, 26]], 32, 0).repeat(32, 1).astype(np.uint8)
            ),
        }
        for name, pixels in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def run(capsys, *arguments):
    code = main(["data", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_check_says_what_is_in_both_splits(capsys, root):
    arguments = ["check", "--data", "cityscapes", "--root", root, "--preset", "smoke", *PARTIAL]
    code, out, err = run(capsys, *arguments, "--json")
    found = json.loads(out)
    assert (code, err, list(found)) == (0, "", ["train", "score", "overlap", "ignored"])
    train = found["train"]
    counts = {"clips": 1, "repeated_history_frames": 1, "skipped_clips": 0, "pairs": 0}
    assert {key: train[key] for key in counts} == counts
    assert (train["frame_sizes"], train["label_sizes"], train["ids"]) == (
        {"32x64": 1},
        {"32x64": 1},
        [0, 13],
    )
    assert (train["percent"]["road"], train["percent"]["car"], train["percent"]["void"]) == (
        50,
        50,
        0,
    )
    assert found["overlap"] == {"names": 0, "pictures": 0}
    code, out, err = run(capsys, *arguments)
    assert code == 0
    assert "train: 1 clips, 0 pairs of neighbours, 1 repeated history frames" in out
    assert "both splits share 0 names and 0 pictures" in out


def test_check_finds_a_picture_that_is_in_both_splits(capsys, root):
    pictures = [
        root / f"leftImg8bit/{part}/{v.partition('_')[0]}/{v}_{n:06d}_leftImg8bit.png"
        for part, (v, n) in FRAMES.items()
    ]
    pictures[1].write_bytes(pictures[0].read_bytes())
    code, out, _ = run(
        capsys,
        "check",
        "--data",
        "cityscapes",
        "--root",
        root,
        "--preset",
        "smoke",
        *PARTIAL,
        "--json",
    )
    assert (code, json.loads(out)["overlap"]) == (0, {"names": 0, "pictures": 1})


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ([], 3, "1 labelled frames, the official split has 2975"),
        ([*PARTIAL, "--history", "error"], 3, "frame 17 of aachen_000000 is missing"),
        ([*PARTIAL, "--history", "skip"], 3, "no clip has all 3 frames"),
    ],
)
def test_check_fails_in_one_line(capsys, root, more, code, message):
    found, out, err = run(
        capsys,
        "check",
        "--data",
        "cityscapes",
        "--root",
        root,
        "--preset",
        "smoke",
        *more,
        "--json",
    )
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_check_reads_every_file(capsys, root):
    path = root / "leftImg8bit_sequence/val/lindau/lindau_000003_000018_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:40])
    code, _, err = run(
        capsys, "check", "--data", "cityscapes", "--root", root, "--preset", "smoke", *PARTIAL
    )
    assert (code, f"{path}: not a complete PNG (40 bytes); copy it again" in err) == (3, True)


def test_a_bad_archive_is_refused_in_one_line(capsys, root, tmp_path):
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "gtFine_trainvaltest.zip", "w") as packed:
        packed.writestr("../outside.png", b"")
    code, _, err = run(
        capsys, "check", "--data", "cityscapes", "--root", tmp_path / "zipped", "--preset", "smoke"
    )
    assert (code, err.count("\n")) == (3, 1)
    assert "gtFine_trainvaltest.zip: '../outside.png' leads out of the archive" in err
    assert not (tmp_path / "outside.png").exists()


def test_plan_before_a_download(capsys):
    code, out, _ = run(capsys, "plan", "--data", "cityscapes", "--need", "tc", "--json")
    (archive,) = json.loads(out)["archives"]
    assert (code, archive["files"], archive["size"], archive["exact"], archive["there"]) == (
        0,
        15_000,
        32_400_000_000,
        False,
        None,
    )
    code, out, _ = run(capsys, "plan")
    assert "leftImg8bit_sequence_trainvaltest.zip: 6,950 files of 150,000 with 324 GB" in out
    assert out.endswith("total: about 22.7 GB\n")


def test_plan_lists_the_files(capsys, root):
    names = root / "names.txt"
    code, out, _ = run(
        capsys,
        "plan",
        "--data",
        "cityscapes",
        "--root",
        root,
        "--split",
        "val",
        "--frames",
        2,
        "--list",
        names,
    )
    assert code == 0
    assert names.read_text().splitlines() == [
        "leftImg8bit/val/lindau/lindau_000003_000019_leftImg8bit.png",
        "gtFine/val/lindau/lindau_000003_000019_gtFine_labelIds.png",
        "leftImg8bit_sequence/val/lindau/lindau_000003_000018_leftImg8bit.png",
    ]
    assert all((root / name).is_file() for name in names.read_text().split())
    assert "total: about" not in out


def test_plan_without_label_maps_has_no_names(capsys, tmp_path):
    code, _, err = run(capsys, "plan", "--list", tmp_path / "names.txt")
    assert (
        code,
        "the names are derived from those of the label maps" in err,
    ) == (3, True)
    assert not list(tmp_path.iterdir())
    assert run(capsys, "plan", "--data", "street")[0] == 2
