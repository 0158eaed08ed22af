"""Pareto front of several rows. Shapes: R rows, D objectives, all better when higher."""

from collections.abc import Sequence

import numpy as np


def pareto_front(points: Sequence[Sequence[float]]) -> list[bool]:
    """Return for each point (R, D) whether it is on the Pareto front.

    A point is on the front if no other is at least as good in all objectives and better in one.
    Equal points are both on it or both not. Raises `ValueError` if a value is not finite, as a
    missing measurement cannot be compared.
    """
    x = np.asarray(points, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("a Pareto front needs finite values")
    return [not bool(((x >= own).all(-1) & (x > own).any(-1)).any()) for own in x]
