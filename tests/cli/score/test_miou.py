"""`msaf-bench score miou`: what it prints, writes, refuses; its exit codes."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from msaf_bench.cli import main

TRUTH = np.array([[0, 0, 0, 1], [1, 255, 255, 255]], np.uint8)
PREDICTION = np.array([[0, 0, 255, 1], [0, 1, 2, 255]], np.uint8)


def write(folder, name, array):
    folder.mkdir(exist_ok=True)
    Image.fromarray(array).save(folder / f"{name}.png")


@pytest.fixture
def folders(tmp_path):
    """Two pairs; the second is right everywhere."""
    for name, prediction in (("a", PREDICTION), ("b", TRUTH)):
        write(tmp_path / "truth", name, TRUTH)
        write(tmp_path / "pred", name, prediction)
    return tmp_path


@pytest.fixture
def score(folders, capsys):
    """Runs the command: exit code, stdout, stderr."""

    def run(*words, classes="4"):
        code = main(
            [
                "score",
                "miou",
                "--pred",
                str(folders / "pred"),
                "--truth",
                str(folders / "truth"),
                "--classes",
                classes,
                *words,
            ]
        )
        return code, *capsys.readouterr()

    return run


def test_json(score):
    code, out, err = score("--void", "penalise", "--json")
    d = json.loads(out)
    assert (code, err) == (0, "")
    assert d["per_class"] == pytest.approx(
        {"class 0": 100 * 5 / 7, "class 1": 60, "class 2": 0, "class 3": None}, abs=0.005
    )
    assert d["miou"] == pytest.approx((500 / 7 + 60) / 3, abs=0.005)
    assert d["per_class_accuracy"] == pytest.approx(
        {"class 0": 500 / 6, "class 1": 75, "class 2": None, "class 3": None}, abs=0.005
    )
    assert d["class_accuracy"] == pytest.approx((500 / 6 + 75) / 2, abs=0.005)
    assert d["pixel_accuracy"] == pytest.approx(80, abs=0.005)
    assert (d["images"], d["void"], d["absent"], d["unit"], d["classes"]) == (
        2,
        "penalise",
        "skip",
        "percent",
        "4",
    )
    assert (d["classes_in_mean"], d["classes_left_out"]) == (3, ["class 3"])
    assert d["miou_by_void_rule"] == {
        "ignore": pytest.approx((500 / 7 + 75) / 2, abs=0.005),
        "penalise": d["miou"],
    }
    assert d["controls"]["best_constant"] == {
        "class": "class 0",
        "miou": pytest.approx(100 * 6 / 16 / 2, abs=0.005),
    }
    assert d["pixels"] == {
        "class": 10,
        "void": 6,
        "class_predicted_void": 1,
        "void_predicted_class": 2,
    }
    assert d["resolutions"] == {"2x4": 2}
    assert d["confusion"] == [[5, 0, 0, 0, 1], [1, 3, 0, 0, 0], [0] * 5, [0] * 5, [0, 1, 1, 0, 4]]
    assert d["confusion_labels"][-1] == "void"
    assert (d["partial"], d["bad"], d["notes"]) == (False, [], [])


def test_zero_counts_what_is_absent(score):
    d = json.loads(score("--absent", "zero", "--json")[1])
    assert d["miou"] == pytest.approx((500 / 7 + 75) / 4, abs=0.005)
    assert (d["classes_in_mean"], d["classes_left_out"]) == (4, [])


def test_text_says_every_rule_and_fits(score):
    code, out, err = score()
    assert (code, err) == (0, "")
    assert "mIoU 73.21 %" in out
    flat = " ".join(out.split())
    for words in (
        "void = ignore: pixels that are void in the truth are left out (penalise: mIoU 43.81)",
        "they are 6 pixels, 37.50 % of all",
        "count as misses of the true class: 1 pixels",
        "absent = skip",
        "over 2 classes; left out: class 2, class 3",
        "if every pixel is predicted as class 0",
        "2 of 2x4",
    ):
        assert words in flat
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.slow
def test_files(score, folders):
    code, out, _ = score("--reports", str(folders / "out"), "--json")
    assert code == 0
    d = json.loads(out)
    assert [path.rsplit("/", 1)[1] for path in d["files"]] == [
        "miou.csv",
        "confusion.csv",
        "confusion.svg",
        "confusion.png",
        "matrices.npz",
    ]
    with (folders / "out" / "miou.csv").open() as file:
        lines = {line["class"]: line for line in csv.DictReader(file)}
    assert lines["class 3"]["iou_percent"] == "-"
    assert float(lines["mean"]["iou_percent"]) == d["miou"]
    assert (lines["mean"]["void"], lines["mean"]["partial"]) == ("ignore", "")
    with np.load(folders / "out" / "matrices.npz") as kept:
        assert kept["names"].tolist() == ["a", "b"]
        assert kept["matrices"].sum(0).tolist() == d["confusion"]
        assert kept["labels"].tolist() == d["confusion_labels"]
    before = {path: path.read_bytes() for path in (folders / "out").iterdir()}
    score("--out", str(folders / "out"))
    assert before == {path: path.read_bytes() for path in (folders / "out").iterdir()}


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_reports_that_cannot_be_written_are_refused_before_anything_is_read(score, folders, out):
    (folders / "file").touch()
    (folders / "pred" / "a.png").write_bytes(b"")
    code, printed, err = score("--out", str(folders / out), "--json")
    assert (code, printed, err.count("\n")) == (5, "", 1)
    assert f"--reports {folders / out}: {folders / 'file'} is not a writable folder" in err


def test_nothing_is_written_unless_asked(score, folders, monkeypatch):
    monkeypatch.chdir(folders)
    score()
    assert sorted(path.name for path in folders.iterdir()) == ["pred", "truth"]


def test_a_bad_file_is_one_line_and_3(score, folders):
    (folders / "pred" / "a.png").write_bytes(b"")
    code, out, err = score("--json")
    assert (code, out) == (3, "")
    assert (
        err
        == f"msaf-bench: {folders / 'pred' / 'a.png'}: the prediction is an empty file; write it"
        " again\n"
    )


@pytest.mark.slow
def test_a_partial_score_says_so_everywhere_and_is_1(score, folders):
    (folders / "pred" / "a.png").write_bytes(b"")
    write(folders / "pred", "c", TRUTH)
    code, out, _ = score("--skip-bad", "--json", "--reports", str(folders / "out"))
    d = json.loads(out)
    assert code == 1
    assert (d["partial"], d["images"], d["miou"]) == (True, 1, 100)
    assert [bad["name"] for bad in d["bad"]] == ["c", "a"]
    assert "partial" in (folders / "out" / "miou.csv").read_text()
    assert "PARTIAL" in (folders / "out" / "confusion.svg").read_text()
    code, out, _ = score("--skip-bad")
    assert code == 1
    assert out.startswith("PARTIAL SCORE: 2 files left out")
    assert out.count("bad: ") == 2


def test_skip_bad_without_anything_bad_is_whole(score):
    code, out, _ = score("--skip-bad", "--json")
    assert (code, json.loads(out)["partial"]) == (0, False)


@pytest.mark.slow
def test_all_void_has_null_and_a_reason(score, folders):
    for name in "ab":
        write(folders / "truth", name, np.full((2, 4), 255, np.uint8))
    code, out, err = score("--json", "--reports", str(folders / "out"))
    d = json.loads(out)
    assert (code, err) == (
        3,
        f"msaf-bench: {folders / 'truth'}: no mIoU: every pixel of the truth is void\n",
    )
    assert d["reason"] == "every pixel of the truth is void"
    assert (
        d["miou"]
        is d["class_accuracy"]
        is d["pixel_accuracy"]
        is d["controls"]["best_constant"]["miou"]
        is None
    )
    assert set(d["per_class"].values()) == {None}
    assert d["notes"] == [
        "every pixel of the truth is void: there is no class accuracy, and no mIoU"
    ]
    assert "mIoU - %" in score()[1]


def test_one_class_only_is_said(score, folders):
    for name in "ab":
        write(folders / "truth", name, np.full((2, 4), 1, np.uint8))
    assert json.loads(score("--json")[1])["notes"] == ["the truth has only one class: class 1"]


def test_raw_ids_and_palettes_are_said(folders, capsys):
    frame = "bonn_000000_000000"
    write(folders / "t", f"{frame}_gtFine_labelIds", np.array([[7, 8], [26, 0]], np.uint8))
    (folders / "p").mkdir()
    picture = Image.fromarray(np.array([[7, 8], [33, 26]], np.uint8))
    picture.putpalette([1, 2, 3] * 256)
    picture.save(folders / "p" / f"{frame}.png")
    words = [
        "--pred",
        str(folders / "p"),
        "--truth",
        str(folders / "t"),
        "--classes",
        "cityscapes19",
    ]
    assert main(["score", "miou", *words, "--json"]) == 0
    d = json.loads(capsys.readouterr().out)
    assert d["ids"] == {"prediction": "raw", "truth": "raw"}
    assert {name: iou for name, iou in d["per_class"].items() if iou is not None} == {
        "road": 100,
        "sidewalk": 100,
        "car": 0,
        "bicycle": 0,
    }
    assert d["notes"] == [
        "prediction: raw ids (labelIds), mapped to the 19 classes",
        "truth: raw ids (labelIds), mapped to the 19 classes",
        "1 file has a palette: palette indices are read as ids",
    ]
    assert main(["score", "miou", *words, "--pred-ids", "train"]) == 3
    assert "the prediction holds id 26" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--void", "count"), "unknown rule for --void 'count'"),
        (("--absent", "nan"), "unknown rule for --absent 'nan'"),
        (("--truth-ids", "raw"), "--truth-ids: --classes 4 has only one kind of ids"),
        (("--threads", "0"), "--threads"),
        (("--classes", "camvid12"), "did you mean camvid11, camvid?"),
        (("--classes", "256"), "2 to 255"),
    ],
)
def test_options_are_refused_in_one_line_with_2(score, words, says):
    code, out, err = score(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1
