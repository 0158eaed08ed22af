"""Ids that would vanish into void, and class lists that do not fit, are errors that name the way
out; all else is scored.
"""

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
        given = [
            "--pred",
            str(tmp_path / "pred"),
            "--truth",
            str(tmp_path / "truth"),
            *(["--classes", classes] if classes else []),
        ]
        code = main(["score", command, *given, *words, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


MASKS = {
    "both 0 and 255": (255, 255, ["255=1"]),
    "truth 0 and 255": (255, 1, ["truth:255=1"]),
    "prediction 0 and 255": (1, 255, ["pred:255=1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("true", "predicted", "maps"), MASKS.values(), ids=MASKS)
def test_masks_of_255_are_asked_and_then_counted(score, true, predicted, maps):
    prediction = MASK ^ NOISE
    code, out, err = score(MASK * true, prediction * predicted, "2")
    assert (code, out, err.count("\n")) == (3, None, 1)
    assert "255" in err
    assert f"--map {maps[0]} if it is" in err
    assert "255=void" in err
    code, out, _ = score(
        MASK * true, prediction * predicted, "2", *(word for m in maps for word in ("--map", m))
    )
    assert code == 0
    assert out["miou"] == pytest.approx(by_sets(MASK, prediction, 2), abs=0.005)
    assert out["map"] == maps


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("used", "classes", "void", "predicted_void"), LEGITIMATE.values(), ids=LEGITIMATE
)
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


@pytest.mark.slow
@pytest.mark.parametrize("values", [[10, 20, 30], [1, 2, 3], [0, 127, 254]])
def test_any_ids_can_be_mapped(score, values):
    truth, prediction, table = ids(3, values)
    assert score(table[truth], table[prediction], "3")[0] == 3
    maps = (word for c, own in enumerate(values) for word in ("--map", f"{own}={c}"))
    code, out, _ = score(table[truth], table[prediction], "3", *maps)
    assert (code, out["miou"]) == (0, pytest.approx(by_sets(truth, prediction, 3), abs=0.005))


@pytest.mark.parametrize(
    "text", ["255", "255=", "=1", "255=4", "256=1", "-1=0", "a=1", "gt:255=1", "1=1.5", "255=Void"]
)
def test_a_map_that_is_none_is_2(score, text):
    code, out, err = score(MASK * 1, MASK * 1, "4", "--map", text)
    assert (code, out) == (2, None)
    assert f"--map {text}" in err


def test_one_id_mapped_twice_is_2(score):
    code, _, err = score(MASK * 1, MASK * 1, "4", "--map", "255=1", "--map", "pred:255=2")
    assert code == 2
    assert "is mapped to two values" in err


@pytest.mark.slow
@pytest.mark.parametrize("classes", [None, "2"])
def test_consistency_of_masks_of_255_is_asked_too(score, classes):
    code, out, err = score(MASK * 255, MASK * 255, classes, "--flow", "zero", command="tc")
    assert (code, out) == (3, None)
    assert "255=1" in err
    code, out, _ = score(
        MASK * 255, MASK * 255, classes, "--flow", "zero", "--map", "255=1", command="tc"
    )
    ones = score(MASK * 1, MASK * 1, "2", "--flow", "zero", command="tc")[1]
    assert (code, out["tc"], out["classes"]) == (0, ones["tc"], "2")
    assert out["per_class"].keys() == {"class 0", "class 1"}


def changed(truth, rate, classes, seed=7):
    """A prediction that is right in this share of pixels, and each other class as often where it is
    wrong.
    """
    rng = np.random.default_rng(seed)
    other = (truth + rng.integers(1, classes, size=truth.shape)) % classes
    return np.where(rng.random(truth.shape) < rate, truth, other)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.35, 0.4, 0.45, 0.9])
@pytest.mark.parametrize("side", ["both", "truth", "pred"])
@pytest.mark.parametrize("stray", [0, 3])
def test_255_for_a_class_is_seen_in_poor_predictions_too(score, rate, side, stray):
    truth = np.random.default_rng(3).integers(3, size=MASK.shape)
    prediction = changed(truth, rate, 3)
    true, predicted = (
        np.where((of == 2) & (side != spared), 255, of)
        for of, spared in ((truth, "pred"), (prediction, "truth"))
    )
    for of in (true, predicted):
        of[0, 0, :stray] = 2
    code, out, err = score(true, predicted, "3")
    assert (code, out) == (3, None)
    assert f"--map {'' if side == 'both' else side + ':'}255=2 if it is" in err


def test_a_class_that_is_predicted_in_some_of_the_void_only_is_no_sign(score):
    truth = with_void(np.random.default_rng(3).integers(4, size=MASK.shape))
    prediction = changed(np.where(truth == 255, 0, truth), 0.9, 4)
    prediction[tuple(np.argwhere(truth == 255)[:9].T)] = 4
    assert score(truth, prediction, "21")[0] == 0


@pytest.mark.parametrize(("true", "predicted", "maps"), MASKS.values(), ids=MASKS)
def test_a_few_pixels_of_a_class_do_not_hide_that_255_is_it(score, true, predicted, maps):
    few = np.random.default_rng(9).random(MASK.shape) < 0.01
    truth, prediction = MASK * true, (MASK ^ NOISE) * predicted
    for of in (truth, prediction):
        of[few] = 1
    code, out, err = score(truth, prediction, "2")
    assert (code, out) == (3, None)
    assert f"--map {maps[0]} if it is" in err


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_two_classes_beside_much_void_are_scored(score, share):
    truth = (np.random.default_rng(3).random(MASK.shape) < 0.1) * 1
    prediction = truth ^ (NOISE & MASK)
    assert score(with_void(truth, share), prediction, "2")[0] == 0


def blocks(classes):
    """Areas of one id, eight pixels wide."""
    return np.repeat(
        np.repeat(np.random.default_rng(4).integers(classes, size=(4, 3, 4)), 8, 1), 8, 2
    )


def with_borders(truth):
    """One pixel of 255 around every area."""
    edge = np.zeros(truth.shape, bool)
    edge[:, 1:] |= truth[:, 1:] != truth[:, :-1]
    edge[:, :, 1:] |= truth[:, :, 1:] != truth[:, :, :-1]
    return np.where(edge, 255, truth)


@pytest.mark.parametrize("classes", ["2", "3", "21"])
def test_void_borders_are_scored(score, classes):
    truth = blocks(int(classes))
    prediction = changed(truth, 0.9, int(classes))
    code, out, err = score(with_borders(truth), prediction, classes)
    assert (code, err) == (0, "")
    kept = with_borders(truth) != 255
    assert out["miou"] == pytest.approx(
        by_sets(truth[kept], prediction[kept], int(classes)), abs=0.005
    )


@pytest.mark.slow
@pytest.mark.parametrize("void_in_truth", [True, False])
@pytest.mark.parametrize("shifted", ["both", "prediction"])
def test_camvid_ids_from_1_are_asked(score, void_in_truth, shifted):
    truth, prediction, _ = ids(11)
    if void_in_truth:
        truth = np.where(np.random.default_rng(5).random(truth.shape) < 0.1, -1, truth)
    true = truth + 1 if shifted == "both" else truth % 12
    code, out, err = score(true, prediction + 1, "camvid11")
    assert (code, out) == (3, None)
    assert "--map 0=void --map 1=0" in err
    assert "11=void if 11 is void" in err
    code, _, err = score(
        prediction + 1,
        prediction + 1,
        None,
        "--flow",
        "zero",
        "--classes",
        "camvid11",
        command="tc",
    )
    assert code == 3
    assert "--map 1=0" in err
    shift = [word for own in range(1, 12) for word in ("--map", f"pred:{own}={own - 1}")]
    if shifted == "both":
        shift += [word.replace("pred", "truth") for word in shift] + ["--map", "truth:0=void"]
    code, out, _ = score(true, prediction + 1, "camvid11", *shift)
    kept = truth >= 0
    assert (code, out["miou"]) == (
        0,
        pytest.approx(by_sets(truth[kept], prediction[kept], 11), abs=0.005),
    )


@pytest.mark.parametrize("void", [11, 255])
@pytest.mark.parametrize("predicted_void", [True, False])
@pytest.mark.parametrize("used", [10, 11])
def test_camvid_with_either_void_is_scored(score, void, predicted_void, used):
    truth, prediction, _ = ids(used)
    gone = np.random.default_rng(5).random(truth.shape) < 0.1
    if predicted_void and not (used == 10 and void == 255):
        prediction = np.where(gone & ~NOISE, void, prediction)
    code, out, err = score(np.where(gone, void, truth), prediction, "camvid11")
    assert (code, err) == (0, "")
    assert out["miou"] == pytest.approx(by_sets(truth[~gone], prediction[~gone], used), abs=0.005)


@pytest.mark.parametrize("known", [range(19), [0, 1, 2, 8, 10, 13], [0, 8, 13], [8, 13]])
def test_cityscapes_with_19_as_void_is_asked(score, known):
    classes = np.array(known)[np.random.default_rng(3).integers(len(known), size=MASK.shape)]
    truth = np.where(np.random.default_rng(5).random(MASK.shape) < 0.1, 19, classes)
    code, out, err = score(truth, classes, "cityscapes19", "--pred-ids", "train")
    assert (code, out, err.count("\n")) == (3, None, 1)
    assert "--truth-ids raw, or --map truth:19=void --truth-ids train" in err
    words = ["--pred-ids", "train", "--map", "truth:19=void", "--truth-ids", "train"]
    code, out, _ = score(truth, classes, "cityscapes19", *words)
    assert (code, out["miou"], out["classes_in_mean"]) == (0, 100, len(known))


def test_raw_ids_that_are_mostly_void_are_asked(score):
    truth = np.random.default_rng(3).integers(19, size=MASK.shape)
    truth[:, 0, 0] = 26
    code, out, err = score(truth, truth, "cityscapes19")
    assert (code, out) == (3, None)
    assert "void as raw ids (0, 1, 2" in err
    assert "--pred-ids raw or train" in err
    assert score(truth, truth, "cityscapes19", "--truth-ids", "raw", "--pred-ids", "raw")[0] == 0


@pytest.mark.parametrize("top", [19, 34])
def test_cityscapes_ids_of_both_kinds_with_255_are_scored(score, top):
    truth = np.random.default_rng(3).integers(top, size=MASK.shape)
    code, out, _ = score(with_void(truth), truth, "cityscapes19")
    assert (code, out["miou"], out["classes_in_mean"]) == (0, 100, 19)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [[0, 85, 170, 255], [0, 128, 255], [*range(0, 241, 17), 255]])
def test_consistency_of_grey_levels_is_asked(score, levels):
    maps = np.array(levels)[np.random.default_rng(3).integers(len(levels), size=MASK.shape)]
    code, out, err = score(maps, maps, None, "--flow", "zero", command="tc")
    assert (code, out) == (3, None)
    assert "--map 0=0" in err
    assert f"--map 255={len(levels) - 1}" in err
    assert "--classes" in err
    words = [word for to, own in enumerate(levels) for word in ("--map", f"{own}={to}")]
    code, out, _ = score(maps, maps, None, "--flow", "zero", *words, command="tc")
    assert (code, out["classes"]) == (0, str(len(levels)))
    assert score(maps, maps, None, "--flow", "zero", "--map", "255=void", command="tc")[0] == 0


def test_consistency_of_few_classes_of_a_list_is_found(score):
    maps = np.array([0, 15, 255])[np.random.default_rng(3).integers(3, size=MASK.shape)]
    code, out, _ = score(maps, maps, None, "--flow", "zero", command="tc")
    assert (code, out["classes"]) == (0, "16")
