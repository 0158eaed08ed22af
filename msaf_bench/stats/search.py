"""What a search for hyper-parameters may be expected to find. Shapes: N attempts."""

from collections.abc import Sequence
from math import comb

import numpy as np


def expected_best(values: Sequence[float]) -> tuple[float, ...]:
    """Return the expected highest of 1, 2, ..., N of these N values, drawn without replacement: the
    mean over all subsets of that size, N of them; empty for none.

    Of a random search it says what a smaller budget would have found. Source: Dodge et al. 2019,
    "Show Your Work", section 3, whose estimator draws with replacement.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered)
    # of the subsets of size n, C(i, n - 1) have the value at place i as their highest
    return tuple(
        float(
            sum(comb(i, n - 1) * value for i, value in enumerate(ordered.tolist())) / comb(count, n)
        )
        for n in range(1, count + 1)
    )
