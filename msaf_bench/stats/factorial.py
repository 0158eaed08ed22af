"""Main effects, interactions and Shapley values of a complete two-level design, seed by seed.

The study behind them: every combination of k parts on and off is one row, and every row has the
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
    """What a factor adds (one name), or an interaction: of two, half of what one adds more with the
    other than without it.
    """

    factors: tuple[str, ...]
    interval: Interval


def effects(
    factors: Sequence[str],
    ticks: Sequence[tuple[bool, ...]],
    values: Sequence[Mapping[int, float]],
    level: float = 0.95,
) -> tuple[Effect, ...]:
    """All main effects, then all interactions by growing order, in the unit of the values.

    `ticks` and `values` (seed -> value) go row by row. An effect is mean(on) - mean(off), an
    interaction the same with the product of the ±1 signs: Yates's contrasts, divided by 2^(k-1), so
    that all have the same spread. Empty unless each of the 2^k combinations is exactly one row and
    the rows share a seed. All intervals together hold the truth at `level` (Bonferroni).
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
    """The Shapley value of each factor, in the unit of the values: its gain, averaged over all
    orders of adding the factors one by one.

    The values add up to the whole minus the empty row. Empty as in `effects`; the intervals hold
    together at `level`. Source: Shapley 1953.
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
    """The values as (rows, seeds), where each of the 2^k combinations is exactly one row and the
    rows share a seed.
    """
    seeds = sorted(set[int].intersection(*(set(row) for row in values))) if values else []
    if not factors or not seeds or len(ticks) != 2 ** len(factors) or len(set(ticks)) != len(ticks):
        return None
    return np.array([[row[seed] for seed in seeds] for row in values])


def _over_seeds(values: NDArray[np.float64], level: float) -> Interval:
    return mean_interval(values.tolist(), level, POINTS)
