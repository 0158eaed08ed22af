"""The batches of a training, made ahead in threads. Each is a function of its step and the seed:
the number of threads changes none, nor does a resumption.

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

Inputs = Tensor | tuple[Tensor, ...]  #: frames of clips, or features of an `ExtractingNetwork`


class TrainingBatch(NamedTuple):
    """What one step learns from."""

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
    """Return the batches of the steps from `start` on, on the device; `ahead` says how they are
    made.

    `features` stand for the frames of clips that are drawn once (`conditions.draws`). Each process
    of a group reads its own clips of a batch; all random numbers are those of the whole batch.
    """
    # Part after part, and of each the share of this process: a part of the batch holds the same
    # clips under any number of processes.
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
    """Return the clips at the places `own` of a whole batch, augmented; only these are read."""
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
