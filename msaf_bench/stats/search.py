"""Expected result of a hyper-parameter search. Shapes: N attempts."""

from collections.abc import Sequence
from math import comb

import numpy as np


def expected_best(values: Sequence[float]) -> tuple[float, ...]:
    """Return the expected maximum of 1, 2, ..., N of the N values, drawn without replacement.

    Each of the N numbers is the mean over all subsets of that size; empty without values. For a
    random search, it is the expected result with a smaller budget. Source: Dodge et al. 2019, "Show
    Your Work", section 3; their estimator draws with replacement.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered)
    # C(i, n - 1) of the subsets of size n have the value at index i as their maximum
    return tuple(
        float(
            sum(comb(i, n - 1) * value for i, value in enumerate(ordered.tolist())) / comb(count, n)
        )
        for n in range(1, count + 1)
    )
