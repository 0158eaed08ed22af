"""Batches of a training, prepared in threads.

A batch depends only on its step and the seed, not on the number of threads or on a resumption.
Shapes: B batch, T frames, H W image.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from torch import Tensor

from msaf_bench.data.clips import Clip, Clips
from msaf_bench.data.prefetch import ahead
from msaf_bench.data.transforms import augment, pass_over, stacked, to_tensors
from msaf_bench.spec import Conditions
from msaf_bench.train.features import Features, drawn
from msaf_bench.train.parallel import ALONE, ProcessGroup
from msaf_bench.train.schedule import augmentation_rng, batch_indices

Inputs = Tensor | tuple[Tensor, ...]  #: frames, or features of an `ExtractingNetwork`


class TrainingBatch(NamedTuple):
    """Inputs and labels of one step."""

    inputs: Inputs  #: frames (B, T, 3, H, W), normalised, or features, each (B, ...)
    labels: Tensor  #: (B, H, W) int64


@contextmanager
def batches(
    clips: Clips,
    conditions: Conditions,
    seed: int,
    *,
    start: int = 0,
    device: str = "cpu",
    features: Features | None = None,
    threads: int = 0,
    group: ProcessGroup = ALONE,
) -> Generator[Iterator[TrainingBatch]]:
    """Yield an iterator over the batches of the remaining steps, on the device.

    All random numbers are those of the whole batch, also if a group of processes shares it.

    Args:
        clips: Training clips.
        conditions: Conditions of the training.
        seed: Seed of order and augmentation.
        start: First step.
        device: Device of the batches.
        features: Features that replace the frames of clips drawn once (`conditions.draws`).
        threads: Number of threads that prepare batches ahead; 0 prepares them on demand. See
            `ahead`.
        group: Processes that share each batch; each reads only its own clips.
    """
    # The batch is divided into parts, and each part among the processes. So a part holds the same
    # clips for any number of processes.
    share = conditions.batch // (conditions.accumulate * group.size)
    own = [i for i in range(conditions.batch) if i // share % group.size == group.rank]

    def make(step: int) -> tuple[Inputs, Tensor]:
        rng = augmentation_rng(step, seed)
        whole = batch_indices(step, conditions.batch, len(clips), seed)
        if not conditions.draws:
            return _stacked(_augmented(clips, conditions, rng, whole, own), device)
        chosen = [whole[i] for i in own]
        draws = rng.integers(conditions.draws, size=conditions.batch)[own].tolist()
        if features is None:
            pairs = zip(chosen, draws, strict=True)
            return _stacked([drawn(clips, conditions, i, draw) for i, draw in pairs], device)
        places = [draw * features.clips + i for i, draw in zip(chosen, draws, strict=True)]
        return features.of(places, device), features.labels[places]

    with ahead(make, range(start, conditions.steps), threads) as made:
        yield (_on_device(inputs, labels, device) for inputs, labels in made)


def _augmented(
    clips: Clips,
    conditions: Conditions,
    rng: np.random.Generator,
    whole: Sequence[int],
    own: Sequence[int],
) -> list[Clip]:
    """Return the augmented clips at the places `own` of a whole batch; only these are read."""
    found = list[Clip]()
    for place, index in enumerate(whole):
        if place in own:
            found.append(augment(clips[index], conditions, rng))
        else:
            pass_over(rng)
    return found


def _stacked(clips: Sequence[Clip], device: str) -> tuple[Tensor, Tensor]:
    return (
        stacked([clip.frames for clip in clips], device),
        stacked([clip.label for clip in clips], device),
    )


def _on_device(inputs: Inputs, labels: Tensor, device: str) -> TrainingBatch:
    if isinstance(inputs, Tensor):
        return TrainingBatch(*to_tensors(inputs, labels, device))
    return TrainingBatch(inputs, labels.to(device).long())
