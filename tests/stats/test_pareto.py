"""The front against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msaf_bench.stats.pareto import pareto_front

POINT = st.tuples(st.integers(0, 4), st.integers(0, 4))


@pytest.mark.slow
@given(st.lists(POINT, max_size=12))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(points: list[tuple[int, int]]):
    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a != b and a[0] >= b[0] and a[1] >= b[1]

    assert pareto_front(points) == [
        not any(beats(other, own) for other in points) for own in points
    ]


def test_equal_points_stand_together_and_a_gap_is_refused():
    assert pareto_front([(1, 2), (1, 2), (0, 2), (2, 0)]) == [True, True, False, True]
    assert pareto_front([]) == []
    with pytest.raises(ValueError, match="finite"):
        pareto_front([(1, float("nan"))])
