"""Evaluation of a trained network.

Measures accuracy, contribution of past frames, liveness of parts, consistency and cost.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.scores import PresetScore
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.analyzers.miou import miou
from msaf_bench.analyzers.pulse import pulses
from msaf_bench.analyzers.scoring import reader, score
from msaf_bench.analyzers.split_scoring import score_split
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips, sample_indices
from msaf_bench.errors import DataError, GateError
from msaf_bench.liveness import Supply
from msaf_bench.matrices import SparseMatrices
from msaf_bench.ports import Reader
from msaf_bench.records import Consistency, Cost, Matrices, Pulse
from msaf_bench.spec import Conditions, System
from msaf_bench.train.features import Features, cached_reader


class Scored(NamedTuple):
    """Measurements of a network on the scored split."""

    confusion: SparseMatrices  #: confusion matrix per clip
    #: confusion matrix per clip without past frames; None for networks that read one frame
    still: SparseMatrices | None
    pulses: tuple[Pulse, ...]
    consistency: tuple[Consistency, ...]
    samples: list[NDArray[np.uint8]]  #: predicted label maps shown in reports


def measure(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    device: str,
    flow_cache: Path,
    *,
    supply: Mapping[str, Supply] = MappingProxyType({}),
    features: Features | None = None,
    loader_threads: int = 0,
) -> Scored:
    """Score the split, and measure consistency and the pulses of the parts.

    If the network reads past frames, the split is scored again without them. Consistency needs a
    flow in the conditions.

    Args:
        net: Trained network on its device.
        clips: Scored split.
        conditions: Conditions of the trial.
        device: Device of the network.
        flow_cache: Folder that keeps estimated flow between trials.
        supply: Gradient of each part at the end of training.
        features: Features of the clips under a frozen backbone.
        loader_threads: Number of threads that load clips ahead.
    """
    shown = set(sample_indices(clips))
    samples: list[NDArray[np.uint8]] = []

    def keep(index: int, prediction: NDArray[np.uint8]) -> None:
        if index in shown:
            samples.append(prediction)

    read = _reader(net, clips, conditions, device, features, loader_threads)
    counts = score_split(net, clips, conditions, read, flow_cache=flow_cache, on_image=keep)
    taken = pulses(net, clips, read, supply, extracted=features is not None)
    found = tuple(recorded(each, conditions.flow) for each in counts.consistency)
    return Scored(counts.confusion, counts.still, taken, found, samples)


def validation_miou(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    device: str,
    features: Features | None = None,
    loader_threads: int = 0,
) -> float:
    """Return the mIoU in percent on clips held out of training.

    Args:
        net: Network on its device.
        clips: Held-out clips.
        conditions: Conditions of the trial.
        device: Device of the network.
        features: Features of the clips under a frozen backbone.
        loader_threads: Number of threads that load clips ahead.

    Raises:
        DataError: None of the clips has a labelled pixel.
    """
    read = _reader(net, clips, conditions, device, features, loader_threads)
    found = miou(score(net, clips, read=read).sum())
    if not np.isfinite(found):
        raise DataError(
            f"the {len(clips)} clips held out for validation have no labelled pixel; set"
            " validate_every=0"
        )
    return found


def _reader(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    device: str,
    features: Features | None,
    loader_threads: int,
) -> Reader:
    if features:
        return cached_reader(net, features, clips, conditions.size, device, loader_threads)
    return reader(net, clips, device, loader_threads)


def recorded(score: PresetScore, flow: str) -> Consistency:
    """Return a preset's score in the form of a record."""
    return Consistency(
        preset=score.preset,
        flow=flow,
        value=score.value,
        reason=score.reason,
        pairs=score.pairs,
        agreement=score.agreement,
        votes=score.votes,
        controls=tuple(score.controls.items()),
        matrices=None if score.matrices is None else Matrices.pack(score.matrices),
    )


def cost_of(
    system: System,
    num_classes: int,
    conditions: Conditions,
    plugins: tuple[str, ...],
    on_note: Callable[[str], None] = lambda text: None,
) -> Cost | None:
    """Return parameters and MACs by part at the size of the conditions.

    Returns None, with a note, if the network cannot be counted.

    Args:
        system: System to count.
        num_classes: Number of classes K.
        conditions: Conditions with the size of the frames.
        plugins: Modules with the system's components.
        on_note: Called with the reason if the network cannot be counted.
    """
    # All seeds of a row share its cost. A plug-in may have been reloaded with different code.
    count = _count if plugins else _counted_once
    try:
        return count(system, num_classes, conditions.size, plugins)  # pyright: ignore
    except GateError as error:
        on_note(f"cost is not counted: {error}")
        return None


def _count(
    system: System, num_classes: int, size: tuple[int, int], plugins: tuple[str, ...]
) -> Cost:
    """Count the cost of one system. Raises `GateError` if it cannot be counted."""
    clip, stream = (
        system_cost(system, num_classes, size, mode=mode, plugins=plugins)
        for mode in ("clip", "stream")
    )
    if blind := sorted({*clip.blind_spots, *stream.blind_spots}):
        raise GateError(f"no formula for {', '.join(blind)}")
    macs = [
        tuple(
            (part, round(sum(kinds.values()) / len(cost.phases)))
            for part, kinds in cost.macs.items()
        )
        for cost in (clip, stream)
    ]
    return Cost(params=tuple(clip.params.items()), clip=macs[0], stream=macs[1])


_counted_once = cache(_count)
