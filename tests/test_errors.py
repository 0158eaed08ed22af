"""Parts of messages that several errors share."""

import pytest

from msaf_bench.errors import and_more


@pytest.mark.parametrize(
    ("others", "text"), [(0, ""), (1, ", and 1 more of 6"), (3, ", and 3 more of 6")]
)
def test_a_count_of_others_is_given_where_there_are_others(others, text):
    assert and_more(others, 6) == text
