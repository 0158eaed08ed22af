"""`score_miou` on arrays and on folders."""

import numpy as np
import pytest

from msaf_bench.analyzers.miou_scoring import score_miou
from msaf_bench.errors import DataError, UsageError

TRUTH = np.array([[0, 0, 1, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 1]], np.uint8)


def test_arrays_by_hand():
    score = score_miou([PREDICTION], [TRUTH], classes=3)
    assert score.per_class == {"class 0": 50, "class 1": 50, "class 2": None}
    assert score.miou == 50
    assert score.left_out == ["class 2"]
    assert score.miou_under("penalise") == pytest.approx((50 + 100 / 3) / 2)
    assert (score.images, score.void_pixels) == (1, 1)
    assert "class 2" in score._repr_html_()


def test_folders_say_what_arrays_say(tmp_path):
    for folder, labels in (("pred", PREDICTION), ("truth", TRUTH)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "a.npy", labels)
    read = score_miou(str(tmp_path / "pred"), tmp_path / "truth", classes="3", void="penalise")
    held = score_miou([PREDICTION], [TRUTH], classes=3, void="penalise")
    assert read.document() == held.document()


@pytest.mark.parametrize(
    ("pred", "truth", "error", "said"),
    [
        ([PREDICTION], [], DataError, "give equal numbers"),
        ([PREDICTION * 1.0], [TRUTH], DataError, "give integers"),
        ([PREDICTION + 6], [TRUTH], DataError, "holds id"),
        ([PREDICTION.astype(int) - 1], [TRUTH], DataError, "from -1"),
        ([PREDICTION[:, :2]], [TRUTH], DataError, "resize"),
        ("folder", [TRUTH], UsageError, "two folders"),
    ],
)
def test_what_cannot_be_scored(pred, truth, error, said):
    with pytest.raises(error, match=said):
        score_miou(pred, truth, classes=3)


def test_no_class_left():
    score = score_miou([PREDICTION], [np.full_like(TRUTH, 255)], classes=3)
    assert score.miou is None
    assert score.reason == "every pixel of the truth is void"
