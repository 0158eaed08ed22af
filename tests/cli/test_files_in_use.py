"""Commands on folders as users have them: links, litter, names of frames, outputs that would fall
on inputs.
"""

import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from msaf_bench.cli import main
from msaf_bench.data.frames.files import check_sizes, frame_size, read_frame
from msaf_bench.data.readers.files import ignored_below, list_files
from msaf_bench.errors import DataError

RNG = np.random.default_rng(0)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path, **options)


def run(capsys, *words):
    code = main([*map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def pairs(tmp_path):
    """A folder b that is right everywhere, and a folder a, elsewhere, that is not; a is linked into
    pred and truth.
    """
    for t in range(3):
        for name, noisy in (("a", True), ("b", False)):
            truth = RNG.integers(3, size=(12, 16))
            home = tmp_path / "elsewhere" if name == "a" else tmp_path
            save(home / "truth" / name / f"f{t}.png", truth)
            save(home / "pred" / name / f"f{t}.png", (truth + 1) % 3 if noisy else truth)
    for folder in ("pred", "truth"):
        (tmp_path / folder / "a").symlink_to(tmp_path / "elsewhere" / folder / "a")
    return tmp_path


def test_linked_folders_are_scored(pairs, capsys):
    code, out, _ = run(
        capsys,
        "score",
        "miou",
        "--pred",
        pairs / "pred",
        "--truth",
        pairs / "truth",
        "--classes",
        3,
        "--json",
    )
    d = json.loads(out)
    assert (code, d["images"], d["ignored"]) == (0, 6, [])
    assert 20 < d["miou"] < 60


def test_litter_is_no_label_map_and_is_said(pairs, capsys):
    for name in (
        ".ipynb_checkpoints/f0-checkpoint.png",
        "._f0.png",
        "@eaDir/f0.png",
        "__MACOSX/b/f0.png",
        "Thumbs.db",
        "notes.txt",
    ):
        (
            save(pairs / "pred" / name, np.zeros((2, 2)))
            if name.endswith("png")
            else (pairs / "pred" / name).touch()
        )
    code, out, _ = run(
        capsys,
        "score",
        "miou",
        "--pred",
        pairs / "pred",
        "--truth",
        pairs / "truth",
        "--classes",
        3,
        "--json",
    )
    d = json.loads(out)
    assert (code, d["images"]) == (0, 6)
    assert {each["why"]: each["names"] for each in d["ignored"]} == {
        "hidden, or left by the system": 5,
        "not .png or .npy": 1,
    }
    assert sum("ignored" in note for note in d["notes"]) == 2


def test_a_zip_and_a_folder_pass_over_the_same(tmp_path):
    names = [
        "train/a.png",
        "train/B.PNG",
        "train/._a.png",
        "train/.DS_Store",
        "__MACOSX/train/._a.png",
        "train/@eaDir/a.png",
    ]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for name in names:
            packed.writestr(f"set/{name}", b"x")
            path = tmp_path / "plain" / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    (tmp_path / "plain" / "set" / "linked").symlink_to("train")
    expected = ["train/B.png", "train/a.png"]
    assert list(list_files(tmp_path, "set", "set.zip")) == expected
    assert list(list_files(tmp_path / "plain", "set", "set.zip")) == [
        "linked/B.png",
        "linked/a.png",
        *expected,
    ]
    (tmp_path / "set.zip").rename(tmp_path / "set.ZIP")
    assert list(list_files(tmp_path, "set", "set.zip")) == expected
    assert sum(each.names for each in ignored_below(tmp_path)) >= 4


FRAMES = {
    "milliseconds": [str(round(1000 * t / 30)) for t in range(1, 13)],
    "version": [f"img_{t:04d}_v2" for t in range(12)],
    "hexadecimal": [f"{t:02x}" for t in range(12)],
}


@pytest.mark.slow
@pytest.mark.parametrize("names", FRAMES.values(), ids=FRAMES)
def test_consistency_has_every_pair_and_says_how_frames_are_numbered(tmp_path, capsys, names):
    wide = RNG.integers(4, size=(12, 80))
    for t, name in enumerate(names):
        save(tmp_path / "labels" / f"{name}.png", wide[:, 3 * t : 3 * t + 40])
    words = ["score", "tc", "--pred", tmp_path / "labels", "--flow", "zero", "--classes", 4]
    d = json.loads(run(capsys, *words, "--json")[1])
    assert (d["pairs"], d["gaps"]) == (11, 0)
    (pattern,) = d["numbering"]["patterns"]
    text = run(capsys, *words)[1]
    assert f"frames numbered as {pattern}" in text
    given = json.loads(run(capsys, *words, "--frame-pattern", pattern, "--json")[1])
    assert given == d
    assert run(capsys, *words, "--frame-pattern", "x_{frame}")[0] == 3
    assert run(capsys, *words, "--frame-pattern", "x")[0] == 2


@pytest.fixture
def frames(tmp_path):
    for t in range(3):
        save(tmp_path / "frames" / f"{t:03d}.png", RNG.integers(255, size=(8, 12, 3)))
    return tmp_path / "frames"


@pytest.mark.slow
def test_predict_never_replaces_its_frames(frames, capsys, tmp_path):
    before = {path: path.read_bytes() for path in frames.iterdir()}
    (tmp_path / "link").symlink_to(frames)
    for out in (frames, tmp_path / "link"):
        for more in ([], ["--overwrite"]):
            code, printed, err = run(
                capsys, "predict", "none.safetensors", "--frames", frames, "--out", out, *more
            )
            assert (code, printed) == (2, "")
            assert "would replace" in err
    assert before == {path: path.read_bytes() for path in frames.iterdir()}


def test_predict_leaves_no_map_among_its_frames(capsys, tmp_path):
    (tmp_path / "frames").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "frames" / "a1.jpg")
    code, _, err = run(
        capsys,
        "predict",
        "none.safetensors",
        "--frames",
        tmp_path / "frames",
        "--out",
        tmp_path / "frames",
    )
    assert code == 2
    assert "a1.png would lie among the input files of" in err
    code, _, err = run(
        capsys,
        "predict",
        "none.safetensors",
        "--frames",
        tmp_path / "frames",
        "--out",
        tmp_path / "frames" / "maps",
    )
    assert "would lie" not in err


def test_a_list_never_replaces_a_file_of_the_data_set(capsys, tmp_path):
    for split in ("train", "val", "test"):
        save(tmp_path / split / "0001TP_000001.png", np.zeros((8, 8, 3)))
        save(tmp_path / f"{split}annot" / "0001TP_000001.png", np.zeros((8, 8)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    victim = tmp_path / "train" / "0001TP_000001.png"
    code, _, err = run(
        capsys,
        "data",
        "plan",
        "--data",
        "camvid",
        "--root",
        tmp_path,
        "--list",
        victim,
        "--overwrite",
    )
    assert code == 2, err
    assert "would replace" in err
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.png")}


@pytest.mark.parametrize("place", ["pred", "truth/deeper"])
def test_scores_leave_no_picture_among_label_maps(pairs, capsys, place):
    command = [
        "score",
        "miou",
        "--pred",
        pairs / "pred",
        "--truth",
        pairs / "truth",
        "--classes",
        3,
        "--reports",
        pairs / place,
    ]
    code, _, err = run(capsys, *command)
    assert code == 2
    assert "confusion.png would lie among" in err


def test_pipes_are_no_frames(capsys, tmp_path):
    (tmp_path / "frames").mkdir()
    os.mkfifo(tmp_path / "frames" / "a1.png")
    code, _, err = run(
        capsys,
        "predict",
        "none.safetensors",
        "--frames",
        tmp_path / "frames",
        "--out",
        tmp_path / "out",
    )
    assert code == 3
    assert "a1.png" in err


def test_predict_names_a_frame_of_another_size_before_it_writes(frames, capsys, tmp_path):
    save(frames / "001.png", RNG.integers(255, size=(8, 16, 3)))
    code, _, err = run(
        capsys, "predict", "none.safetensors", "--frames", frames, "--out", tmp_path / "out"
    )
    assert code == 3
    assert "001.png: a frame of 8x16 after frames of 8x12" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["jpg", "png"])
def test_a_picture_is_turned_as_it_says(tmp_path, orientation, end):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = np.zeros((16, 32, 3))
    picture[:8, :16] = 255  # the corner that is bright tells how it was turned
    save(tmp_path / f"a.{end}", picture, exif=exif)
    found, (size, turned) = read_frame(tmp_path / f"a.{end}"), frame_size(tmp_path / f"a.{end}")
    assert found.shape[:2] == size == ((32, 16) if orientation > 4 else (16, 32))
    assert turned == (orientation > 1)
    bright = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }[orientation]
    corner = found[-1 if bright[0] else 0, -1 if bright[1] else 0]
    assert corner.min() > 200


def test_a_frame_that_lies_on_its_side_is_of_another_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "1.jpg", np.zeros((16, 32, 3)))
    save(tmp_path / "2.jpg", np.zeros((16, 32, 3)), exif=exif)
    with pytest.raises(
        DataError,
        match=(r"2\.jpg: a frame of 32x16, rotated by its EXIF orientation, after frames of 16x32"),
    ):
        check_sizes([tmp_path / "1.jpg", tmp_path / "2.jpg"])


@pytest.mark.slow
def test_reports_do_not_replace_files_of_others(pairs, capsys):
    out = pairs / "out"
    out.mkdir()
    (out / "miou.csv").write_text("mine")
    miou = [
        "score",
        "miou",
        "--pred",
        pairs / "pred",
        "--truth",
        pairs / "truth",
        "--classes",
        3,
        "--reports",
        out,
    ]
    assert run(capsys, *miou)[0] == 2
    assert (out / "miou.csv").read_text() == "mine"
    assert sorted(path.name for path in out.iterdir()) == ["miou.csv"]
    for more in (["--overwrite"], []):
        assert run(capsys, *miou, *more)[0] == 0
    (out / "tc.json").write_text("mine")
    tc = [
        "score",
        "tc",
        "--pred",
        pairs / "pred",
        "--flow",
        "zero",
        "--classes",
        3,
        "--reports",
        out,
    ]
    assert run(capsys, *tc)[0] == 2
    assert run(capsys, *tc, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cost.csv", ["flops", "--n", "4x4,8x8", "--reports"]),
        (
            "street_00000/frames/000000.png",
            ["data", "street", "--frames", "1", "--size", "16x16", "--out"],
        ),
        ("table3.csv", ["ablate", "--table", "3", "--preset", "smoke", "--reports"]),
        ("figures/table3_miou.png", ["ablate", "--table", "3", "--preset", "smoke", "--reports"]),
        ("000.png", ["predict", "none.safetensors", "--frames", "FRAMES", "--out"]),
    ],
)
def test_no_command_replaces_files_of_others(frames, capsys, tmp_path, name, words):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    code, out, err = run(
        capsys, *(frames if word == "FRAMES" else word for word in words), tmp_path / "out"
    )
    assert (code, out, path.read_text()) == (2, "", "mine")
    assert path.name in err
    assert "--overwrite" in err
