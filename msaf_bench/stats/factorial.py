"""Main effects, interactions and Shapley values of a complete two-level design, seed by seed.

In such a design, every combination of k parts switched on or off is one row, and all rows have the
same seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from msaf_bench.stats.intervals import POINTS, Interval, level_of_each, mean_interval


@dataclass(frozen=True)
class Effect:
    """Effect of one factor, or interaction of several factors.

    The interaction of two factors is half the gain in the effect of one when the other is on.
    """

    factors: tuple[str, ...]
    interval: Interval


def effects(
    factors: Sequence[str],
    ticks: Sequence[tuple[bool, ...]],
    values: Sequence[Mapping[int, float]],
    level: float = 0.95,
) -> tuple[Effect, ...]:
    """Return all main effects, then all interactions by order, in the unit of the values.

    An effect is mean(on) - mean(off). An interaction uses the product of the ±1 signs of its
    factors. These are Yates's contrasts divided by 2^(k-1), so all have the same spread.

    Args:
        factors: Names of the k factors.
        ticks: For each row, whether each factor is on.
        values: For each row, value by seed.
        level: Level at which all intervals hold together (Bonferroni).

    Returns:
        The effects; empty unless each of the 2^k combinations is exactly one row and all rows share
        a seed.
    """
    table, k = _complete(factors, ticks, values), len(factors)
    if table is None:
        return ()
    signs = np.where(np.asarray(ticks), 1, -1)  # (rows, k)
    sets = [chosen for order in range(1, k + 1) for chosen in combinations(range(k), order)]
    own = level_of_each(len(sets), level)
    return tuple(
        Effect(
            tuple(factors[i] for i in chosen),
            _over_seeds(signs[:, chosen].prod(1) @ table / 2 ** (k - 1), own),
        )
        for chosen in sets
    )


def shapley(
    factors: Sequence[str],
    ticks: Sequence[tuple[bool, ...]],
    values: Sequence[Mapping[int, float]],
    level: float = 0.95,
) -> tuple[Effect, ...]:
    """Return the Shapley value of each factor, in the unit of the values.

    It is the gain by a factor, averaged over all orders of adding the factors one by one. The
    Shapley values add up to the full row minus the empty row. Source: Shapley 1953.

    Args:
        factors: Names of the k factors.
        ticks: For each row, whether each factor is on.
        values: For each row, value by seed.
        level: Level at which all intervals hold together (Bonferroni).

    Returns:
        One effect per factor; empty unless each of the 2^k combinations is exactly one row and all
        rows share a seed.
    """
    table, k = _complete(factors, ticks, values), len(factors)
    if table is None:
        return ()
    at = {row: table[i] for i, row in enumerate(ticks)}
    shares: list[Effect] = []
    for i, factor in enumerate(factors):
        value = np.zeros(table.shape[1])
        for row in ticks:
            if not row[i]:
                size = sum(row)
                weight = factorial(size) * factorial(k - size - 1) / factorial(k)
                value += weight * (at[*row[:i], True, *row[i + 1 :]] - at[row])
        shares.append(Effect((factor,), _over_seeds(value, level_of_each(k, level))))
    return tuple(shares)


def _complete(
    factors: Sequence[str], ticks: Sequence[tuple[bool, ...]], values: Sequence[Mapping[int, float]]
) -> NDArray[np.float64] | None:
    """Return the values (rows, shared seeds) of a complete design, or None if it is incomplete."""
    seeds = sorted(set[int].intersection(*(set(row) for row in values))) if values else []
    if not factors or not seeds or len(ticks) != 2 ** len(factors) or len(set(ticks)) != len(ticks):
        return None
    return np.array([[row[seed] for seed in seeds] for row in values])


def _over_seeds(values: NDArray[np.float64], level: float) -> Interval:
    return mean_interval(values.tolist(), level, POINTS)
