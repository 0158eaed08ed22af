"""Two folders of label maps: counted, mapped, refused."""

import re
import time

import numpy as np
import pytest
from PIL import Image

from msaf_bench.analyzers import miou_folders
from msaf_bench.analyzers.miou import class_scores, confusion_matrix, constant_counts, count_ids
from msaf_bench.analyzers.miou_folders import count_folders
from msaf_bench.data.labels.classes import CLASS_SETS, class_set
from msaf_bench.data.labels.pairs import pair_label_maps
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

CITYSCAPES = class_set("cityscapes19")
# void becomes "out of roi"
TO_RAW = np.append(CLASS_SETS["cityscapes19"].raw, np.full(256 - 19, 3)).astype(np.uint8)


def write(folder, maps, name="{}.png"):
    folder.mkdir(exist_ok=True)
    for index, array in enumerate(maps):
        Image.fromarray(array).save(folder / name.format(index))


def label_maps(classes=19, images=4, size=(12, 16)):
    rng = np.random.default_rng(0)
    truths = rng.integers(classes, size=(images, *size)).astype(np.uint8)
    predictions = np.where(
        rng.random(truths.shape) < 0.6, truths, rng.integers(classes, size=truths.shape)
    ).astype(np.uint8)
    truths[rng.random(truths.shape) < 0.1] = VOID
    return truths, predictions


def count(folder, classes, given=(), **how):
    return count_folders(
        pair_label_maps(folder / "p", folder / "t", classes), classes, dict(given), **how
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_each_image_has_its_matrix(tmp_path, threads):
    truths, predictions = label_maps(5)
    write(tmp_path / "t", truths)
    write(tmp_path / "p", predictions)
    done = []
    found = count(tmp_path, class_set("5"), threads=threads, on_pair=lambda: done.append(1))
    assert found.names == ["0", "1", "2", "3"]
    for matrix, truth, prediction in zip(found.matrices, truths, predictions, strict=True):
        np.testing.assert_array_equal(matrix[:5, :5], confusion_matrix(truth, prediction, 5))
        assert matrix[5].sum() == (truth == VOID).sum()
        assert matrix.sum() == truth.size
    assert found.sizes == {(12, 16): 4}
    assert len(done) == 4


@pytest.mark.parametrize("raw_truth", [True, False])
@pytest.mark.parametrize("raw_prediction", [True, False])
def test_raw_ids_and_classes_count_the_same(tmp_path, raw_truth, raw_prediction):
    truths, predictions = label_maps()
    write(
        tmp_path / "t",
        TO_RAW[truths] if raw_truth else truths,
        "bonn_000000_00000{}_gtFine_label" + ("" if raw_truth else "Train") + "Ids.png",
    )
    write(
        tmp_path / "p",
        TO_RAW[predictions] if raw_prediction else predictions,
        "bonn_000000_00000{}_leftImg8bit.png",
    )
    found = count(tmp_path, CITYSCAPES)
    assert found.formats == {
        "truth": "raw" if raw_truth else "train",
        "prediction": "raw" if raw_prediction else "train",
    }
    expected = sum(confusion_matrix(t, p, 19) for t, p in zip(truths, predictions, strict=True))
    np.testing.assert_array_equal(found.matrices.sum()[:19, :19], expected)


def test_an_image_of_few_classes_is_read_as_its_folder(tmp_path):
    truths, predictions = label_maps(images=2)
    truths[1] = predictions[1] = 13  # the car, or the fence of the raw ids
    write(tmp_path / "t", TO_RAW[truths])
    write(tmp_path / "p", predictions)
    found = count(tmp_path, CITYSCAPES)
    assert list(found.matrices)[1][13, 13] == truths[1].size


def test_what_could_be_either_is_asked_and_then_believed(tmp_path):
    write(tmp_path / "t", [np.array([[7, 8, 11]], np.uint8)])
    write(tmp_path / "p", [np.array([[0, 1, 2]], np.uint8)])
    with pytest.raises(DataError, match="--truth-ids raw or train"):
        count(tmp_path, CITYSCAPES)
    assert np.trace(count(tmp_path, CITYSCAPES, {"truth": "raw"}).matrices.sum()) == 3
    assert np.trace(count(tmp_path, CITYSCAPES, {"truth": "train"}).matrices.sum()) == 0


def spoil_size(folder):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "p" / "1.png")


def spoil_ids(folder):
    Image.fromarray(np.full((12, 16), 9, np.uint8)).save(folder / "p" / "1.png")


def spoil_truth(folder):
    (folder / "t" / "1.png").write_bytes(b"")


def take_prediction(folder):
    (folder / "p" / "1.png").unlink()


def take_truth(folder):
    (folder / "t" / "1.png").unlink()


SPOILT = {
    spoil_size: r"p.1\.png: the prediction is 2 x 2, the truth 12 x 16",
    spoil_ids: r"p.1\.png: the prediction holds id 9",
    spoil_truth: r"t.1\.png: the truth is an empty file",
    take_prediction: "1: no prediction for this truth; 1 missing and 0 extra beside 3 pairs",
    take_truth: "1: no truth for this prediction; 0 missing and 1 extra beside 3 pairs",
}


@pytest.mark.parametrize(("spoil", "says"), SPOILT.items())
def test_what_is_wrong_stops_it_or_is_left_out_and_listed(tmp_path, spoil, says):
    truths, predictions = label_maps(5)
    write(tmp_path / "t", truths)
    write(tmp_path / "p", predictions)
    spoil(tmp_path)
    with pytest.raises(DataError, match=says):
        count(tmp_path, class_set("5"))
    found = count(tmp_path, class_set("5"), skip_bad=True)
    assert found.names == ["0", "2", "3"]
    ((name, why),) = found.bad
    assert name == "1"
    assert re.search(says.split(";")[0], why)


@pytest.mark.parametrize("content", [b"", b"x"])
def test_nothing_left_is_an_error_even_so(tmp_path, content):
    for name in ("t", "p"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(content)
    with pytest.raises(DataError, match="none of the 1 pairs"):
        count(tmp_path, CITYSCAPES, skip_bad=True)


@pytest.mark.slow
def test_after_an_error_the_rest_is_not_read(tmp_path, monkeypatch):
    truths, predictions = label_maps(5, images=40)
    write(tmp_path / "t", truths)
    write(tmp_path / "p", predictions)
    (tmp_path / "p" / "0.png").write_bytes(b"")
    read = []

    def slow(truth, prediction):
        read.append(1)
        time.sleep(0.1)  # long beside the time to notice the error
        return count_ids(truth, prediction)

    monkeypatch.setattr(miou_folders, "count_ids", slow)
    with pytest.raises(DataError, match="empty file"):
        count(tmp_path, class_set("5"))
    assert len(read) < 39


@pytest.fixture(scope="module")
def espnet(data_folder):
    """ESPNet's published predictions on the test split of CamVid, counted."""
    root = data_folder("camvid_score")
    classes = class_set("camvid11")
    return count_folders(
        pair_label_maps(root / "espnet_pred", root / "test_labels", classes), classes, {}, threads=2
    )


@pytest.mark.parametrize(
    ("void", "miou", "printed"), [("penalise", 55.65, 55.64), ("ignore", 57.17, None)]
)
def test_the_published_figure_comes_out(espnet, void, miou, printed):
    scores = class_scores(espnet.matrices.sum(), void=void, absent="skip")
    assert round(scores.miou, 2) == miou
    assert round(scores.class_accuracy, 2) == 68.30
    if printed:
        assert np.floor(100 * scores.miou) / 100 == printed  # it was cut, not rounded


def test_the_published_predictions(espnet):
    assert espnet.sizes == {(360, 480): 233}
    whole = espnet.matrices.sum()
    assert whole.sum() == 233 * 360 * 480
    assert whole[:-1, -1].sum() == 1_397_701  # void predicted where the truth is a class
    control = class_scores(constant_counts(whole), void="ignore", absent="skip")
    assert control.miou == pytest.approx(100 * whole[3].sum() / whole[:-1].sum() / 11)  # road
