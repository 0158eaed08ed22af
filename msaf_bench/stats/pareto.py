"""Which of several things nothing else beats in every respect. Shapes: R rows, D objectives, all of
them better when higher.
"""

from collections.abc import Sequence

import numpy as np


def pareto_front(points: Sequence[Sequence[float]]) -> list[bool]:
    """For each of the points (R, D) whether it is on the front: no other is at least as good in all
    objectives and better in one.

    Equal points stand together. Raises `ValueError` for a value that is not finite: what was not
    measured has no place among what was.
    """
    x = np.asarray(points, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("a Pareto front needs finite values")
    return [not bool(((x >= own).all(-1) & (x > own).any(-1)).any()) for own in x]
