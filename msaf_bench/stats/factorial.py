"""Main effects and interactions of a complete two-level design, seed by seed.

The study behind them: every combination of k parts on and off is one row, and every row has the same seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from msaf_bench.stats.intervals import Interval, mean_interval


@dataclass(frozen=True)
class Effect:
    """What a factor adds (one name), or an interaction: of two, half of what one adds more with the other than without it."""

    factors: tuple[str, ...]
    interval: Interval


def effects(
    factors: Sequence[str], ticks: Sequence[tuple[bool, ...]], values: Sequence[Mapping[int, float]], level: float = 0.95
) -> tuple[Effect, ...]:
    """All main effects, then all interactions by growing order, in the unit of the values.

    `ticks` and `values` (seed -> value) go row by row. An effect is mean(on) - mean(off), an interaction the same with the
    product of the ±1 signs: Yates's contrasts, divided by 2^(k-1), so that all have the same spread. Empty unless each of the
    2^k combinations is exactly one row and the rows share a seed.
    """
    k = len(factors)
    seeds = sorted(set[int].intersection(*(set(row) for row in values))) if values else []
    if not k or not seeds or len(ticks) != 2**k or len(set(ticks)) != 2**k:
        return ()
    signs = np.where(np.asarray(ticks), 1, -1)  # (rows, k)
    table = np.array([[row[seed] for seed in seeds] for row in values])  # (rows, seeds)
    found: list[Effect] = []
    for order in range(1, k + 1):
        for chosen in combinations(range(k), order):
            contrast = signs[:, chosen].prod(1) @ table / 2 ** (k - 1)
            found.append(Effect(tuple(factors[i] for i in chosen), mean_interval([float(v) for v in contrast], level)))
    return tuple(found)
