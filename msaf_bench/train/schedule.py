"""Learning rate, clips and random numbers of each step.

They are functions of the step and the seed alone, so a resumed run repeats and skips nothing.
"""

import numpy as np

from msaf_bench.spec import Conditions


def learning_rate(step: int, conditions: Conditions) -> float:
    """Return the learning rate at a step: poly decay with linear warm-up.

    Steps count from 0. The decay is (1 - step / steps)^power.
    """
    decayed = conditions.lr * (1 - step / conditions.steps) ** conditions.power
    return decayed * min(1.0, (step + 1) / conditions.warmup) if conditions.warmup else decayed


def batch_indices(step: int, batch: int, clips: int, seed: int) -> list[int]:
    """Return the indices of the clips in a step's batch.

    The order of each epoch depends only on seed and epoch, so it is the same for every row.

    Args:
        step: Number of the step, from 0.
        batch: Clips per batch.
        clips: Number of clips in the split.
        seed: Seed of the order.
    """
    places = range(step * batch, (step + 1) * batch)
    orders = {
        epoch: np.random.default_rng((seed, epoch, 0)).permutation(clips)
        for epoch in {p // clips for p in places}
    }
    return [int(orders[p // clips][p % clips]) for p in places]


def augmentation_rng(step: int, seed: int) -> np.random.Generator:
    """Return the random generator of a step's crops, flips and scales."""
    return np.random.default_rng((seed, step, 1))


def step_seed(step: int, seed: int, part: int = 0) -> int:
    """Return the seed of dropout for a step and a part of its batch."""
    places = (seed, step, 2, part) if part else (seed, step, 2)
    return int.from_bytes(np.random.default_rng(places).bytes(4))
