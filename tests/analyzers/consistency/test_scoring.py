"""`score_tc` on arrays and on folders."""

import numpy as np
import pytest
from PIL import Image

from msaf_bench.analyzers.consistency.scoring import score_tc
from msaf_bench.errors import DataError, UsageError

MAPS = [np.kron(np.array([[0, 1], [2, 1]], np.uint8), np.ones((8, 8), np.uint8))] * 3


def test_maps_that_stay_are_consistent_where_nothing_moves():
    score = score_tc(MAPS, flow="zero", preset=["clean", "ewarp"], classes=3)
    assert score.tc == 100
    assert [result.score.value for result in score.results] == [100, 0]
    assert [len(score.parts(result)) for result in score.results] == [2, 2]
    assert score.results[0].per_class == dict.fromkeys(("class 0", "class 1", "class 2"), 100)
    assert "clean" in score._repr_html_()


def test_folders_say_what_arrays_say(tmp_path):
    changed = [*MAPS[:2], MAPS[2][::-1].copy()]
    for index, labels in enumerate(changed):
        Image.fromarray(labels).save(tmp_path / f"{index:06}.png")
    held, read = (score_tc(pred, flow="zero") for pred in (changed, tmp_path))
    assert held.document() == read.document()
    assert held.tc is not None
    assert held.tc < 100


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"flow": "dis"}, UsageError, "estimated from the frames"),
        ({"flow": "zero", "preset": "ewarp"}, UsageError, "counts classes"),
        ({"flow": "zero", "preset": "cleen"}, UsageError, "cleen"),
        ({"flow": "zero", "truth": MAPS[:1]}, DataError, "give equal numbers"),
        ({"flow": "zero", "classes": 2}, DataError, "contain id 2"),
        ({"flow": "zero", "frames": "folder"}, UsageError, "sequences of arrays"),
    ],
)
def test_what_cannot_be_scored(more, error, said):
    with pytest.raises(error, match=said):
        score_tc(MAPS, **more)


def test_no_number_has_a_reason():
    score = score_tc(MAPS, flow="zero", preset="vc8")
    assert score.tc is None
    assert score.reason == "vc8: needs the true label map of every frame"
