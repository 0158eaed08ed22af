"""`msaf-bench score tc --data`: frames and truth of look-alikes of data sets."""

import csv
import json
import shutil

import numpy as np
import pytest
from data.readers import look_alikes
from PIL import Image

import msaf_bench as mb
from msaf_bench.cli import main
from msaf_bench.data.flow.files import write_flow
from msaf_bench.errors import UsageError


def predict(folder, videos, numbers, digits=6):
    for video in videos:
        for number in numbers:
            look_alikes.save(folder / f"{video}/{number:0{digits}}.png", look_alikes.ids(number))


@pytest.fixture
def score(tmp_path, capsys):
    """Runs the command on `pred`: exit code, stdout, stderr."""

    def run(*words):
        code = main(["score", "tc", "--pred", str(tmp_path / "pred"), *map(str, words)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def own(tmp_path):
    """Videos of one's own, and the words that name them."""
    root = look_alikes.own_videos(tmp_path / "own")
    return "--data", root / "mine.toml"


def document(answer, code=0):
    found, out, err = answer
    assert found == code, err
    return json.loads(out)


@pytest.mark.slow
def test_a_data_set_gives_what_its_folders_give(score, tmp_path):
    root = look_alikes.vspw(tmp_path / "vspw", frames=10)
    videos, numbers = ("val_0_clip", "val_1_clip"), range(1, 11)
    predict(tmp_path / "pred", videos, numbers)
    (tmp_path / "pred/val_0_clip/000003.png").write_bytes(
        (tmp_path / "pred/val_0_clip/000010.png").read_bytes()  # something to see
    )
    for video in videos:
        for number in numbers:
            to = tmp_path / f"frames/{video}/{number:06d}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / f"data/{video}/origin/{number:08d}.jpg", to)
            mask = np.asarray(Image.open(root / f"data/{video}/mask/{number:08d}.png"))
            truth = np.where((mask == 0) | (mask == 255), 255, mask - np.uint8(1))
            look_alikes.save(tmp_path / f"truth/{video}/{number:06d}.png", truth.astype(np.uint8))
    presets = ("--preset", "clean,etc2020,ewarp,vc8", "--json")
    folders = ("--frames", tmp_path / "frames", "--truth", tmp_path / "truth", "--classes", "124")
    expected = document(score(*folders, *presets))
    words = ("--data", "vspw", "--root", root, "--skip-bad", *presets)
    d = document(score(*words), code=1)
    assert [each["tc"] for each in d["results"]] == [each["tc"] for each in expected["results"]]
    assert d["controls"] == expected["controls"]
    assert d["controls"]["truth"] > d["tc"] > 0
    assert d["results"][3]["pairs"] == 2 * (10 - 8)
    assert (d["data"], d["partial"], d["steps"]) == ("vspw, split val", True, [1])
    assert "the official split has 24502" in d["incomplete"]
    assert any(note.startswith("PARTIAL: ") for note in d["notes"])
    assert "PARTIAL: " in score("--skip-bad", "--data", "vspw", "--root", root)[1]
    assert "give --skip-bad to score the rest" in score("--data", "vspw", "--root", root)[2]
    shutil.make_archive(str(root / "data"), "zip", root, "data")
    shutil.rmtree(root / "data")
    assert document(score(*words), code=1)["results"] == d["results"]


@pytest.mark.slow
def test_frames_of_video_files_with_few_labels(score, own, tmp_path):
    predict(tmp_path / "pred", ("ride_2", "ride_3"), range(9))
    words = (*own, "--preset", "clean,vc8", "--out", tmp_path / "out", "--json")
    d = document(score(*words))
    assert (d["pairs"], d["partial"], d["classes"]) == (16, False, str(own[1]))
    assert set(d["controls"]) == {"constant", "no_warp"}
    assert d["tc"] > d["controls"]["no_warp"]
    assert d["results"][1]["reason"] == "needs the true label map of every frame"
    assert "14 of 18 frames have no true label map" in " ".join(d["notes"])
    with (tmp_path / "out/tc_pairs.csv").open() as file:
        assert next(csv.DictReader(file))["first"] == "ride_2/000000"
    assert "frames of mine, split val" in score(*own)[1]
    found = mb.score_tc(str(tmp_path / "pred"), data=str(own[1]))
    assert found.tc == d["tc"]


def test_labelled_frames_alone_are_neighbours_at_their_distance(score, own, tmp_path):
    predict(tmp_path / "pred", ("ride_2", "ride_3"), (4, 8), digits=1)
    d = document(score(*own, "--flow", "zero", "--json"))
    assert (d["pairs"], d["steps"], d["gaps"]) == (2, [4], 0)
    assert d["controls"]["truth"] == d["tc"] < 100
    assert d["numbering"]["patterns"] == ["*/{frame}"]
    for video in ("ride_2", "ride_3"):
        flow = np.zeros((*look_alikes.SIZE, 2), np.float32)
        (tmp_path / "flow" / video).mkdir(parents=True)
        write_flow(tmp_path / f"flow/{video}/4.flo", flow)  # named like the predictions
    assert document(score(*own, "--flow", f"flo:{tmp_path / 'flow'}", "--json"))["pairs"] == 2


def test_labelled_frames_without_a_prediction(score, own, tmp_path):
    predict(tmp_path / "pred", ("ride_2",), (3, 4, 5, 8))
    code, out, err = score(*own)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "no prediction for labelled frame 'ride_3/00004', and 1 more of 4; add --skip-b" in err
    d = document(score(*own, "--flow", "zero", "--skip-bad", "--json"), code=1)
    assert (d["pairs"], d["gaps"], d["partial"]) == (2, 1, True)
    assert d["bad"] == ["ride_3/00004", "ride_3/00008"]


def test_names_and_options_that_do_not_fit(score, own, tmp_path):
    predict(tmp_path / "pred", ("ride_2", "ride_3"), (4, 8))
    for words, says in (
        (
            (*own, "--frames", tmp_path),
            f"--frames: --data {own[1]} defines it; leave one of them out",
        ),
        ((*own, "--truth", tmp_path), f"--truth: --data {own[1]} defines it"),
        ((*own, "--classes", "3"), f"--classes: --data {own[1]} defines it"),
        ((*own, "--frame-pattern", "{frame}"), f"--frame-pattern: --data {own[1]} defines it"),
        ((*own, "--map", "truth:0=void"), "--data defines its ids"),
        (("--data", "street"), "its truth is generated"),
        (("--frames", tmp_path, "--split", "val"), "--split goes with --data"),
        ((*own, "--split", "tset"), "unknown split of mine 'tset'; choose one of: train, val"),
    ):
        code, out, err = score(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert says in err
    predict(tmp_path / "pred", ("ride_2",), (8,), digits=2)
    code, _, err = score(*own)
    assert code == 3
    assert "'ride_2/000008' and 'ride_2/08' are the same frame" in err
    (tmp_path / "pred/ride_2/08.png").rename(tmp_path / "pred/ride_2/09.png")
    code, _, err = score(*own)
    assert code == 3
    assert "'ride_2/09' is not a frame of mine" in err
    with pytest.raises(UsageError, match="pred: with `data`, give a folder"):
        mb.score_tc([look_alikes.ids(0)], data=str(own[1]))
