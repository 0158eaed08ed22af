"""JSON that leaves: no NaN, a reason beside each null that stands for one, and one writer for
all.
"""

import json
import re
from pathlib import Path

import pytest

from msaf_bench.documents import json_text

SOURCE = Path(__file__).parents[1] / "msaf_bench"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_null_and_named(number):
    text = json_text({"miou": number, "rows": [{"past": number, "n": 3}], "more": (1.5, number)})
    found = json.loads(text, parse_constant=pytest.fail)
    assert (found["miou"], found["rows"], found["more"]) == (
        None,
        [{"past": None, "n": 3}],
        [1.5, None],
    )
    assert found["undefined"].keys() == {"miou", "rows.0.past", "more.1"}
    assert all(found["undefined"].values())


def test_a_reason_that_is_known_stays():
    found = json.loads(
        json_text({"miou": float("nan"), "undefined": {"miou": "all void", "past": "one frame"}})
    )
    assert found["undefined"] == {"miou": "all void", "past": "one frame"}


def test_a_document_without_such_numbers_is_as_it_was():
    document = {"a": 1.5, "b": [None, True, "NaN"], "c": {"d": 10**30}}
    assert json.loads(json_text(document)) == document
    assert json_text([1, 2]) == "[\n 1,\n 2\n]\n"


def test_no_command_writes_json_by_itself():
    for path in [*(SOURCE / "cli").rglob("*.py"), *(SOURCE / "report").rglob("*.py")]:
        assert not re.search(r"json\.dumps?\(", path.read_text()), path
