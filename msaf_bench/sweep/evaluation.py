"""Measures a trained network: accuracy, the contribution of past frames, the pulse of its parts,
consistency, cost.
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
    """A network's predictions on the scored split, measured."""

    confusion: SparseMatrices  #: of each clip
    #: the same without the past; None where the network reads one frame
    still: SparseMatrices | None
    pulses: tuple[Pulse, ...]
    consistency: tuple[Consistency, ...]
    samples: list[NDArray[np.uint8]]  #: the label maps that reports show


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
    """Scores the split; once more without the past where the network reads it; consistency where
    the conditions name a flow; the pulses.

    `flow_cache` keeps estimated flow between trials, `features` are those of the clips under a
    frozen backbone, `supply` is the gradient of each part at the end of training; `loader_threads`
    load clips ahead.
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
    """Return the mIoU in percent on clips held out of training; `features` are theirs under a
    frozen backbone. Raises `DataError` where none of them has a labelled pixel.
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
    """Return a preset's score as records hold it."""
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
    """Parameters and MACs by part at the size of the conditions; None, and a note, for a network
    that cannot be counted.
    """
    # The seeds of a row share its cost; a plug-in may be loaded anew, with other code.
    count = _count if plugins else _counted_once
    try:
        return count(system, num_classes, conditions.size, plugins)  # pyright: ignore
    except GateError as error:
        on_note(f"cost is not counted: {error}")
        return None


def _count(
    system: System, num_classes: int, size: tuple[int, int], plugins: tuple[str, ...]
) -> Cost:
    """Count one system. Raises `GateError` for what cannot be counted."""
    clip, stream = (
        system_cost(system, num_classes, size, mode=mode, plugins=plugins)
        for mode in ("clip", "stream")
    )
    if blind := sorted({*clip.blind_spots, *stream.blind_spots}):
        raise GateError(f"there is no formula for {', '.join(blind)}")
    macs = [
        tuple(
            (part, round(sum(kinds.values()) / len(cost.phases)))
            for part, kinds in cost.macs.items()
        )
        for cost in (clip, stream)
    ]
    return Cost(params=tuple(clip.params.items()), clip=macs[0], stream=macs[1])


_counted_once = cache(_count)
