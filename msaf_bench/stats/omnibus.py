"""Whether any rows differ at all, before pairs of them are looked at. Shapes: R rows, S seeds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Omnibus:
    """Friedman's test over the rows and seeds that are complete; without a p there is a reason."""

    statistic: float | None
    p: float | None
    rows: int
    seeds: int
    reason: str = ""


def friedman(values: NDArray[np.float64]) -> Omnibus:
    """`values` (R, S), NaN where a row lacks a seed -> whether the rows differ, by their ranks
    within each seed.

    Rows without any seed are left out, then the seeds that a remaining row lacks. Below 3 rows or 2
    seeds, and where all rows tie in every seed, there is no p. With few seeds the p, from the
    chi-squared distribution, errs to the large side. Source: Friedman 1937.
    """
    # scipy.stats takes long to import.
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
