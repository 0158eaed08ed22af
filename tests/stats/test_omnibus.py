"""Friedman's test against scipy, against its formula by hand, and where it has nothing to say."""

import numpy as np
import pytest
from scipy.stats import chi2, friedmanchisquare, rankdata

from msaf_bench.stats import friedman

NAN = float("nan")


def slow(values: np.ndarray) -> float:
    """The statistic from rank sums, with the correction for ties, written out."""
    k, n = values.shape
    ranks = np.array([rankdata(values[:, s]) for s in range(n)]).T
    ties = sum((t**3 - t) for s in range(n) for t in np.unique(values[:, s], return_counts=True)[1])
    raw = 12 / (n * k * (k + 1)) * sum(float(r.sum()) ** 2 for r in ranks) - 3 * n * (k + 1)
    return raw / (1 - ties / (n * k * (k**2 - 1)))


@pytest.mark.parametrize("seed", range(5))
def test_statistic_and_p(seed: int):
    values = np.random.default_rng(seed).integers(0, 9, (5, 4)).astype(float)
    found = friedman(values)
    assert found.statistic == pytest.approx(slow(values))
    assert found.statistic == pytest.approx(friedmanchisquare(*values).statistic)
    assert found.p == pytest.approx(chi2.sf(slow(values), 4))
    assert (found.rows, found.seeds, found.reason) == (5, 4, "")


def test_incomplete_rows_and_seeds_are_left_out():
    values = np.array([[1.0, 2, 3, NAN], [4, 5, 6, 7], [NAN] * 4, [9, 8, NAN, 9], [0, 1, 2, 3]])
    found, whole = friedman(values), friedman(values[[0, 1, 3, 4]][:, :2])
    assert (found.rows, found.seeds) == (4, 2)
    assert found == whole


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((2, 5)), "needs 3 rows and 2 seeds"),
        (np.arange(3.0)[:, None], "got 3 and 1"),
        (np.full((4, 4), NAN), "got 0 and"),
        (np.zeros((0, 0)), "got 0 and 0"),
        (np.array([[1, NAN], [NAN, 2], [3, 4.0]]), "got 3 and 0"),
        (np.tile([1.0, 2.0], (3, 1)), "tie"),
    ],
)
def test_no_p_has_a_reason(values: np.ndarray, reason: str):
    found = friedman(values)
    assert found.p is None
    assert found.statistic is None
    assert reason in found.reason
