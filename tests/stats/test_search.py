"""The expected best of a smaller search."""

from itertools import combinations
from statistics import fmean

import pytest

from msaf_bench.stats import expected_best


def test_it_is_the_mean_over_all_subsets():
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    found = expected_best(values)
    subsets = [combinations(values, n) for n in range(1, 7)]
    assert found == pytest.approx([fmean(map(max, of_size)) for of_size in subsets])


def test_one_attempt_is_the_mean_and_all_are_the_best():
    found = expected_best([50.0, 52.0, 48.0])
    assert (found[0], found[-1]) == (50.0, 52.0)
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("values", "found"), [((), ()), ((7.0,), (7.0,)), ((5.0,) * 3, (5.0,) * 3)]
)
def test_edges(values, found):
    assert expected_best(values) == found
