"""Growth of a cost with size."""

from collections.abc import Sequence
from math import log
from typing import Any

from scipy.stats import linregress  # pyright: ignore[reportUnknownVariableType]


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float | None:
    """Fit the slope of log cost over log size by least squares.

    None for fewer than two different sizes.
    """
    if len(set(sizes)) < 2:
        return None
    fit: Any = linregress([log(n) for n in sizes], [log(c) for c in costs])
    return float(fit.slope)
