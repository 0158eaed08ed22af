"""`msaf-bench score miou --data`: the truth of look-alikes of data sets, and of the real CamVid."""

import json
import re
import shutil

import numpy as np
import pytest
from data.readers import look_alikes
from PIL import Image

import msaf_bench as mb
from msaf_bench.cli import main
from msaf_bench.errors import DataError, UsageError

RIDES = [f"ride_{i}/{number}" for i in (2, 3) for number in (4, 8)]  # of split val


def predict(folder, names, error=()):
    """Label maps that are right, under these names; those of `error` miss the thing."""
    for name in names:
        label = look_alikes.ids(int(re.findall(r"\d+", name)[-1]))
        if name in error:
            label[label == 1] = 0
        look_alikes.save(folder / f"{name}.png", label)


@pytest.fixture
def score(tmp_path, capsys):
    """Runs the command on `pred`: exit code, stdout, stderr."""

    def run(*words):
        code = main(["score", "miou", "--pred", str(tmp_path / "pred"), *map(str, words)])
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
def test_predictions_of_ones_own_videos(score, own, tmp_path):
    predict(tmp_path / "pred", RIDES)
    d = document(score(*own, "--json"))
    assert (d["miou"], d["images"], d["partial"]) == (100, 4, False)
    assert (d["data"], d["incomplete"]) == ("mine, split val", None)
    assert d["per_class"] == {"ground": 100, "thing": 100, "sky": 100}
    predict(tmp_path / "pred", RIDES, error=RIDES[:1])  # a quarter of 256 pixels
    expected = (100 * 5120 / 5184 + 75 + 100) / 3
    d = document(score(*own, "--json"))
    assert d["per_class"] == {"ground": round(100 * 5120 / 5184, 2), "thing": 75, "sky": 100}
    assert d["miou"] == round(expected, 2)
    assert "truth: mine, split val" in score(*own)[1]
    found = mb.score_miou(str(tmp_path / "pred"), data=str(own[1]), root=tmp_path / "own")
    assert found.miou == pytest.approx(expected)


def test_names_with_other_zeros_and_frames_that_are_not_labelled(score, own, tmp_path):
    predict(tmp_path / "pred", ["ride_2/04", "ride_2/000008", "ride_3/4", "ride_3/00000008"])
    predict(tmp_path / "pred", ["ride_2/000005", "ride_0/000004"])  # between, and of train
    d = document(score(*own, "--json"))
    assert (d["miou"], d["images"], d["bad"]) == (100, 4, [])


def test_another_split(score, own, tmp_path):
    predict(tmp_path / "pred", ["ride_0/4", "ride_0/8", "ride_1/4", "ride_1/8"])
    d = document(score(*own, "--split", "train", "--json"))
    assert (d["miou"], d["data"]) == (100, "mine, split train")
    code, out, err = score(*own)
    assert (code, out) == (3, "")
    assert "none of its 4 frames is labelled in" in err
    code, out, err = score(*own, "--split", "tset")
    assert (code, out) == (2, "")
    assert "unknown split of mine 'tset'; choose one of: train, val" in err


def test_a_missing_prediction_is_an_error_unless_it_is_left_out_and_listed(score, own, tmp_path):
    predict(tmp_path / "pred", RIDES[:3])
    code, out, err = score(*own, "--json")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "ride_3/00008: no prediction for this truth; 1 missing and 0 extra beside 3" in err
    d = document(score(*own, "--skip-bad", "--json"), code=1)
    assert (d["miou"], d["partial"], d["images"]) == (100, True, 3)
    assert [bad["name"] for bad in d["bad"]] == ["ride_3/00008"]
    assert score(*own, "--skip-bad")[1].startswith("PARTIAL SCORE: 1 files left out")


def test_names_that_are_no_frame_or_of_one_frame(score, own, tmp_path):
    predict(tmp_path / "pred", [*RIDES, "ride_2/9"])  # it ends at 8
    code, out, err = score(*own)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "'ride_2/9' is not a frame of mine" in err
    assert "name predictions VIDEO/FRAME, such as ride_" in err
    (tmp_path / "pred/ride_2/9.png").rename(tmp_path / "pred/ride_2/008.png")
    code, out, err = score(*own)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "'ride_2/008' and 'ride_2/8' are the same frame; keep one of them" in err


def test_ids_of_the_truth_are_known(score, own, tmp_path):
    """A prediction of `thing` at void pixels alone leaves no doubt of what 255 is."""
    predict(tmp_path / "pred", RIDES)
    for path in (tmp_path / "own/labels").glob("ride_[23]/*.png"):
        label = np.asarray(Image.open(path)).copy()
        label[label == 1] = 255
        look_alikes.save(path, label)
    assert document(score(*own, "--json"))["per_class"] == {
        "ground": 100,
        "thing": None,
        "sky": 100,
    }
    d = document(score(*own, "--void", "penalise", "--json"))
    assert d["per_class"]["thing"] == 0
    # `--map` is for the predictions alone
    for path in (tmp_path / "pred").rglob("*.png"):
        label = np.asarray(Image.open(path)).copy()
        label[label == 1] = 255
        look_alikes.save(path, label)
    d = document(score(*own, "--void", "penalise", "--map", "255=1", "--json"))
    assert (d["per_class"]["thing"], d["pixels"]["void_predicted_class"]) == (0, 256)
    code, _, err = score(*own, "--map", "truth:255=1")
    assert code == 2
    assert "--data defines its ids" in err


@pytest.mark.slow
def test_vspw_has_void_ids_and_counts(score, tmp_path):
    root = look_alikes.vspw(tmp_path / "vspw")
    names = [f"val_{i}_clip/{number:08d}" for i in (0, 1) for number in range(1, 5)]
    predict(tmp_path / "pred", names)
    words = ("--data", "VSPW", "--root", root, "--pred-ids", "train")
    code, out, err = score(*words)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "8 labelled frames, the official split has 24502" in err
    assert err.endswith("copy the data set again, or give --skip-bad to score the rest\n")
    d = document(score(*words, "--skip-bad", "--json"), code=1)
    assert (d["miou"], d["images"], d["bad"], d["partial"]) == (100, 8, [], True)
    assert d["incomplete"].endswith("8 labelled frames, the official split has 24502")
    assert d["pixels"]["void"] == 8 * 3 * 48
    out = score(*words, "--skip-bad")[1]
    assert out.startswith("PARTIAL SCORE: ")
    assert "the official split has 24502" in " ".join(out.split())
    # masks as the data set has them: 1 is the first class
    shutil.rmtree(tmp_path / "pred")
    for name in names:
        video, number = name.split("/")
        look_alikes.save(
            tmp_path / f"pred/{video}/{number}.png",
            np.asarray(Image.open(root / f"data/{video}/mask/{number}.png")),
        )
    words = ("--data", "vspw", "--root", root, "--skip-bad", "--json")
    assert document(score(*words, "--pred-ids", "raw"), code=1)["miou"] == 100
    assert "give --pred-ids raw or train" in score(*words)[2]


@pytest.mark.slow
def test_a_list_that_names_more_than_there_is_makes_a_partial_score(score, own, tmp_path):
    root = tmp_path / "own"
    (root / "val.txt").write_text("ride_2\nride_9\n")
    (root / "mine.toml").write_text(
        look_alikes.OWN.replace("{ train = 0.5, val = 0.5 }", '{ train = {}, val = "val.txt" }')
    )
    predict(tmp_path / "pred", RIDES[:2])
    code, _, err = score(*own)
    assert code == 3
    assert "'ride_9' is not a labelled video or frame" in err
    d = document(score(*own, "--skip-bad", "--out", tmp_path / "out", "--json"), code=1)
    assert (d["miou"], d["images"]) == (100, 2)
    assert "'ride_9' is not a labelled video" in d["incomplete"]
    assert "partial" in (tmp_path / "out/miou.csv").read_text()
    assert "PARTIAL" in (tmp_path / "out/confusion.svg").read_text()


def test_ids_in_a_red_channel_need_no_conversion(score, tmp_path):
    root = look_alikes.kitti_step(tmp_path / "kitti")
    predict(tmp_path / "pred", [f"0002/{number:06d}" for number in range(4)])
    words = ("--data", "kitti-step", "--root", root, "--skip-bad", "--json")
    d = document(score(*words), code=1)
    assert (d["miou"], d["images"]) == (100, 4)
    assert d["pixels"]["void"] == 4 * 48


def test_names_of_the_data_sets_own_files(score, tmp_path):
    root = look_alikes.bdd100k(tmp_path / "bdd")
    words = ("--data", "bdd100k", "--root", root, "--skip-bad", "--json")
    for names in (("dd-4", "ee-5"), ("images/10k/val/dd-4", "labels/sem_seg/masks/val/ee-5")):
        shutil.rmtree(tmp_path / "pred", ignore_errors=True)
        for number, name in enumerate(names):
            look_alikes.save(tmp_path / f"pred/{name}.png", look_alikes.ids(number))
        d = document(score(*words), code=1)
        assert (d["miou"], d["images"]) == (100, 2)


def test_options_that_do_not_go_together(score, own, tmp_path):
    predict(tmp_path / "pred", RIDES)
    for words, says in (
        (
            (*own, "--truth", tmp_path),
            f"--truth: --data {own[1]} defines it; leave one of them out",
        ),
        ((*own, "--classes", "3"), f"--classes: --data {own[1]} defines it"),
        ((*own, "--truth-ids", "raw"), f"--truth-ids: --data {own[1]} defines it"),
        (("--data", "street"), "--data street: its truth is generated; use --truth DIR"),
        (("--data", "vpsw"), "unknown data set 'vpsw'; did you mean vspw?"),
        (("--data", "camvid"), "camvid needs --root DIR"),
        (("--data", tmp_path / "no.toml"), "no.toml"),
        (("--classes", "3"), "'--truth'"),
        (("--truth", tmp_path), "'--classes'"),
        (("--truth", tmp_path, "--classes", "3", "--root", tmp_path), "--root goes with --data"),
        (("--truth", tmp_path, "--classes", "3", "--split", "val"), "--split goes with --data"),
        ((*own, "--pred-ids", "raw"), "has only one kind of ids"),
    ):
        code, out, err = score(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert says in err
    code, _, err = score(*own, "--root", tmp_path / "none")
    assert code == 3
    assert "no such folder; give the data set's own folder" in err


def test_python_takes_either(own, tmp_path):
    predict(tmp_path / "pred", RIDES)
    label = look_alikes.ids(0)
    with pytest.raises(UsageError, match="truth: --data .* defines it"):
        mb.score_miou("pred", "truth", data=str(own[1]))
    with pytest.raises(UsageError, match="give truth and classes, or data"):
        mb.score_miou("pred", "truth")
    with pytest.raises(UsageError, match="pred: with `data`, give a folder"):
        mb.score_miou([label], data=str(own[1]))
    (tmp_path / "pred/ride_2/4.png").unlink()
    with pytest.raises(DataError, match="ride_2/00004: no prediction"):
        mb.score_miou(tmp_path / "pred", data=str(own[1]))
    assert mb.score_miou(tmp_path / "pred", data=str(own[1]), skip_bad=True).partial


@pytest.mark.slow
def test_label_maps_of_the_real_camvid_are_right(score, camvid_root, tmp_path):
    shutil.copytree(camvid_root / "valannot", tmp_path / "pred")
    words = ("--data", "camvid", "--root", camvid_root, "--json")
    d = document(score(*words))
    assert (d["miou"], d["images"], d["partial"]) == (100, 101, False)
    assert d["classes_in_mean"] == 11
    before = document(score("--truth", camvid_root / "valannot", "--classes", "camvid11", "--json"))
    assert {**d, "data": None} | {"classes": "camvid11"} == before
