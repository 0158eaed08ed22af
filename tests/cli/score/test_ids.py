"""Ids that would vanish into void, and class lists that do not fit, are errors that name the way out; all else is scored."""

import json

import numpy as np
import pytest
from PIL import Image

from msaf_bench.cli import main

RNG = np.random.default_rng(0)
MASK = RNG.random((4, 24, 32)) < 0.4
NOISE = RNG.random(MASK.shape) < 0.2


def by_sets(truth, prediction, classes):
    """mIoU in percent from sets of pixels."""
    ious = []
    for c in range(classes):
        union = ((truth == c) | (prediction == c)).sum()
        ious += [((truth == c) & (prediction == c)).sum() / union] if union else []
    return 100 * np.mean(ious)


def ids(classes, values=None, seed=0):
    """Truth and a noisy prediction of ids 0..classes-1, or of these values in their place."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=MASK.shape)
    prediction = np.where(NOISE, rng.integers(classes, size=MASK.shape), truth)
    table = np.arange(256)
    table[: len(values or ())] = values or ()
    return truth, prediction, table


@pytest.fixture
def score(tmp_path, capsys):
    def run(truth, prediction, classes, *words, command="miou"):
        for name, maps in (("truth", truth), ("pred", prediction)):
            (tmp_path / name).mkdir(exist_ok=True)
            for index, array in enumerate(maps):
                Image.fromarray(array.astype(np.uint8)).save(tmp_path / name / f"{index:03d}.png")
        given = ["--pred", str(tmp_path / "pred"), "--truth", str(tmp_path / "truth"), *(["--classes", classes] if classes else [])]
        code = main(["score", command, *given, *words, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


MASKS = {
    "both 0 and 255": (255, 255, ["255=1"]),
    "truth 0 and 255": (255, 1, ["truth:255=1"]),
    "prediction 0 and 255": (1, 255, ["pred:255=1"]),
}


@pytest.mark.parametrize(("true", "predicted", "maps"), MASKS.values(), ids=MASKS)
def test_masks_of_255_are_asked_and_then_counted(score, true, predicted, maps):
    prediction = MASK ^ NOISE
    code, out, err = score(MASK * true, prediction * predicted, "2")
    assert (code, out, err.count("\n")) == (3, None, 1)
    assert "255" in err
    assert f"--map {maps[0]} if it is" in err
    assert "255=void" in err
    code, out, _ = score(MASK * true, prediction * predicted, "2", *(word for m in maps for word in ("--map", m)))
    assert code == 0
    assert out["miou"] == pytest.approx(by_sets(MASK, prediction, 2), abs=0.005)
    assert out["map"] == maps


@pytest.mark.parametrize("classes", [3, 5, 11])
@pytest.mark.parametrize("side", ["both", "truth", "pred"])
def test_the_last_class_written_as_255_is_seen(score, classes, side):
    truth, prediction, _ = ids(classes)
    true = np.where((truth == classes - 1) & (side != "pred"), 255, truth)
    predicted = np.where((prediction == classes - 1) & (side != "truth"), 255, prediction)
    code, out, err = score(true, predicted, str(classes))
    assert (code, out) == (3, None)
    assert f"255={classes - 1}" in err
    at = "" if side == "both" else f"{side}:"
    code, out, _ = score(true, predicted, str(classes), "--map", f"{at}255={classes - 1}")
    assert (code, out["miou"]) == (0, pytest.approx(by_sets(truth, prediction, classes), abs=0.005))


@pytest.mark.parametrize("classes", ["19", "cityscapes19", "21"])
@pytest.mark.parametrize("used", [11, 12])
def test_a_list_that_is_too_long_for_the_ids_is_an_error(score, classes, used):
    truth, prediction, _ = ids(used)
    code, out, err = score(truth, prediction, classes)
    assert (code, out, err.count("\n")) == (3, None, 1)
    assert f"ids 0 to {used - 1}" in err
    assert "--classes camvid11" in err
    last = 20 if classes == "21" else 18
    code, out, _ = score(truth, prediction, classes, "--map", f"{last}={last}")
    assert (code, out["classes_in_mean"]) == (0, used)


def with_void(truth, share=0.1):
    return np.where(np.random.default_rng(5).random(truth.shape) < share, 255, truth)


LEGITIMATE = {
    "a small folder": (5, "11", False, False),
    "a small folder with void": (5, "11", True, False),
    "of a known set": (7, "camvid11", True, False),
    "all classes and void": (4, "4", True, False),
    "two classes and void": (2, "2", True, False),
    "all classes but one, and void": (10, "11", True, False),
    "void in both, all classes there": (4, "4", True, True),
    "one class of two": (1, "2", False, False),
}


@pytest.mark.parametrize(("used", "classes", "void", "predicted_void"), LEGITIMATE.values(), ids=LEGITIMATE)
def test_what_may_well_be_is_scored(score, used, classes, void, predicted_void):
    truth, prediction, _ = ids(used)
    true = with_void(truth) if void else truth
    predicted = with_void(prediction) if predicted_void else prediction
    code, out, err = score(true, predicted, classes)
    assert (code, err) == (0, "")
    kept = true != 255
    assert out["miou"] == pytest.approx(by_sets(true[kept], predicted[kept], used), abs=0.005)


def test_void_that_is_said_to_be_void_is_void(score):
    code, out, _ = score(MASK * 255, (MASK ^ NOISE) * 1, "2", "--map", "truth:255=void")
    assert (code, out["pixels"]["void"]) == (0, int(MASK.sum()))


def test_maps_apply_at_once_and_not_one_after_another(score):
    truth, prediction, _ = ids(3)
    swapped = np.array([1, 0, 2])[prediction]
    code, out, _ = score(truth, swapped, "3", "--map", "pred:0=1", "--map", "pred:1=0")
    assert (code, out["miou"]) == (0, pytest.approx(by_sets(truth, prediction, 3), abs=0.005))


@pytest.mark.parametrize("values", [[10, 20, 30], [1, 2, 3], [0, 127, 254]])
def test_any_ids_can_be_mapped(score, values):
    truth, prediction, table = ids(3, values)
    assert score(table[truth], table[prediction], "3")[0] == 3
    maps = (word for c, own in enumerate(values) for word in ("--map", f"{own}={c}"))
    code, out, _ = score(table[truth], table[prediction], "3", *maps)
    assert (code, out["miou"]) == (0, pytest.approx(by_sets(truth, prediction, 3), abs=0.005))


@pytest.mark.parametrize("text", ["255", "255=", "=1", "255=4", "256=1", "-1=0", "a=1", "gt:255=1", "1=1.5", "255=Void"])
def test_a_map_that_is_none_is_2(score, text):
    code, out, err = score(MASK * 1, MASK * 1, "4", "--map", text)
    assert (code, out) == (2, None)
    assert f"--map {text}" in err


def test_one_id_mapped_twice_is_2(score):
    code, _, err = score(MASK * 1, MASK * 1, "4", "--map", "255=1", "--map", "pred:255=2")
    assert code == 2
    assert "mapped to something else too" in err


@pytest.mark.parametrize("classes", [None, "2"])
def test_consistency_of_masks_of_255_is_asked_too(score, classes):
    code, out, err = score(MASK * 255, MASK * 255, classes, "--flow", "zero", command="tc")
    assert (code, out) == (3, None)
    assert "255=1" in err
    code, out, _ = score(MASK * 255, MASK * 255, classes, "--flow", "zero", "--map", "255=1", command="tc")
    ones = score(MASK * 1, MASK * 1, "2", "--flow", "zero", command="tc")[1]
    assert (code, out["tc"], out["classes"]) == (0, ones["tc"], "2")
    assert out["per_class"].keys() == {"class 0", "class 1"}
