"""When and what: the learning rate and the clips of each step, as functions of the step alone, so
that a resumed run repeats neither.
"""

import numpy as np

from msaf_bench.spec import Conditions


def learning_rate(step: int, conditions: Conditions) -> float:
    """The rate at a step (from 0): poly decay, (1 - step / steps)^power, under a linear warm-up."""
    decayed = conditions.lr * (1 - step / conditions.steps) ** conditions.power
    return decayed * min(1.0, (step + 1) / conditions.warmup) if conditions.warmup else decayed


def batch_indices(step: int, batch: int, clips: int, seed: int) -> list[int]:
    """Which clips a step reads: epochs in an order that depends on the seed and the epoch alone, so
    every row sees the same.
    """
    places = range(step * batch, (step + 1) * batch)
    orders = {
        epoch: np.random.default_rng((seed, epoch, 0)).permutation(clips)
        for epoch in {p // clips for p in places}
    }
    return [int(orders[p // clips][p % clips]) for p in places]


def augmentation_rng(step: int, seed: int) -> np.random.Generator:
    """The generator of a step's crops, flips and scales."""
    return np.random.default_rng((seed, step, 1))


def step_seed(step: int, seed: int, part: int = 0) -> int:
    """What the dropout of a step is drawn from, of each part of its batch another."""
    places = (seed, step, 2, part) if part else (seed, step, 2)
    return int.from_bytes(np.random.default_rng(places).bytes(4))
