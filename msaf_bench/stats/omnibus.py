"""Test of whether any rows differ, before comparing pairs. Shapes: R rows, S seeds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Omnibus:
    """Friedman's test over the complete rows and seeds, or the reason for a missing p."""

    statistic: float | None
    p: float | None
    rows: int
    seeds: int
    reason: str = ""


def friedman(values: NDArray[np.float64]) -> Omnibus:
    """Test whether rows differ, by their ranks within each seed (Friedman 1937).

    `values` (R, S) is NaN for a missing seed. Rows without any seed are left out, then seeds that
    are missing in a remaining row. There is no p below 3 rows or 2 seeds, or if all rows tie in
    every seed. p is from the chi-squared distribution and tends to be too large for few seeds.
    """
    # imported here because scipy.stats takes long to import
    from scipy.stats import friedmanchisquare  # pyright: ignore[reportUnknownVariableType]

    known = values[np.isfinite(values).any(1)]
    complete = known[:, np.isfinite(known).all(0)]
    rows, seeds = complete.shape
    if rows < 3 or seeds < 2:
        return Omnibus(
            None,
            None,
            rows,
            seeds,
            f"Friedman's test needs 3 rows and 2 seeds that all rows have, got {rows} and {seeds}",
        )
    if (complete == complete[0]).all():
        return Omnibus(None, None, rows, seeds, "all rows tie in every seed")
    test: Any = friedmanchisquare(*complete)
    return Omnibus(float(test.statistic), float(test.pvalue), rows, seeds)
