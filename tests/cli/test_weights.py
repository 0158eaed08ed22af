"""What `train` and `evaluate` print of a split."""

import json

import numpy as np
import pytest

from msaf_bench.cli.weights import _print_score
from msaf_bench.errors import DataError

NOTHING = np.zeros((2, 3, 3), np.int64)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_split_that_is_all_void_has_null_with_reasons_and_is_an_error(capsys, as_json):
    about = {"past": float("nan"), "tc_clean": None, "undefined": {"tc_clean": "no pixel has a vote"}}
    with pytest.raises(DataError, match="no mIoU: every pixel of the truth is void"):
        _print_score(NOTHING, ("a", "b", "c"), about, as_json)
    out = capsys.readouterr().out
    assert "nan" not in out.lower()
    if as_json:
        d = json.loads(out, parse_constant=pytest.fail)
        assert d["miou"] is d["past"] is d["best_constant"] is d["tc_clean"] is None
        assert d["undefined"].keys() == {"miou", "past", "best_constant", "tc_clean"}
        assert d["undefined"]["tc_clean"] == "no pixel has a vote"


def test_a_score_that_exists_is_printed_as_it_is(capsys):
    matrices = np.eye(3, dtype=np.int64)[None] * 4
    _print_score(matrices, ("a", "b", "c"), {}, True)
    d = json.loads(capsys.readouterr().out)
    assert (d["miou"], d["undefined"]) == (100, {})
