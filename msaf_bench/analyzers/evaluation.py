"""Evaluation of a network on a data set: mIoU, temporal consistency, contribution of past frames.

Shapes: N images, K classes.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from msaf_bench.analyzers.clip_network import Segment, as_network
from msaf_bench.analyzers.miou import best_constant, class_iou, miou
from msaf_bench.analyzers.miou_score import NO_CLASS_LEFT
from msaf_bench.analyzers.scoring import reader
from msaf_bench.analyzers.split_scoring import score_split
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import read_conditions
from msaf_bench.data import open_split, root_of
from msaf_bench.data.clips import Clips
from msaf_bench.data.prefetch import default_threads
from msaf_bench.matrices import Matrix, SparseMatrices
from msaf_bench.spec import Conditions


class TcValue(Protocol):
    """Temporal consistency under one preset, or the reason why it has none."""

    @property
    def preset(self) -> str:
        """Name of the preset."""
        ...

    @property
    def value(self) -> float | None:
        """Temporal consistency in percent, or None with a `reason`."""
        ...

    @property
    def reason(self) -> str:
        """Why `value` is None; empty if it is not."""
        ...


@dataclass(frozen=True)
class SplitScores:
    """Scores of a network's predictions on a split, in percent."""

    classes: tuple[str, ...]
    matrices: SparseMatrices  #: confusion matrix of each image
    #: counts (K, K) of all images with the newest frame repeated instead of past frames; None for
    #: a network of one frame
    still: Matrix | None = None
    consistency: Sequence[TcValue] = ()
    flow: str = ""  #: flow used for temporal consistency

    @cached_property
    def confusion(self) -> Matrix:
        """Counts of all images, (K, K): rows ground truth, columns prediction."""
        return self.matrices.sum()

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur; NaN if none occurs."""
        return miou(self.confusion)

    @property
    def past(self) -> float | None:
        """Contribution of past frames: mIoU minus the mIoU with the newest frame repeated."""
        return None if self.still is None else self.miou - miou(self.still)

    @property
    def per_class(self) -> dict[str, float | None]:
        """IoU by class; None for a class that does not occur."""
        values = class_iou(self.confusion).tolist()
        return {
            name: None if math.isnan(iou) else iou
            for name, iou in zip(self.classes, values, strict=True)
        }

    def document(self, about: Mapping[str, object] | None = None) -> dict[str, object]:
        """Return the scores for JSON to two decimals, after the entries of `about`.

        A missing score is None or NaN, and `undefined` holds the reason.
        """
        numbers = {"miou": self.miou, "best_constant": best_constant(self.confusion)}
        past = {} if self.past is None else {"past": round(self.past, 2)}
        rounded = {key: round(value, 2) for key, value in numbers.items()}
        lacking = [key for key, value in (past | rounded).items() if math.isnan(value)]
        reasons = {f"tc_{c.preset}": c.reason for c in self.consistency if c.value is None}
        return {
            **(about or {}),
            **past,
            **{
                f"tc_{c.preset}": None if c.value is None else round(c.value, 2)
                for c in self.consistency
            },
            **({"flow": self.flow} if self.consistency else {}),
            "undefined": reasons | dict.fromkeys(lacking, NO_CLASS_LEFT),
            **rounded,
            "images": len(self.matrices),
            "void": "ignore",
            "per_class": {
                name: None if iou is None else round(iou, 2) for name, iou in self.per_class.items()
            },
        }


@dataclass(frozen=True)
class Evaluation:
    """Scores of a network on the scored split of a data set, with their conditions."""

    scores: SplitScores
    conditions: Conditions
    repeated: int  #: number of missing history frames, replaced by the oldest existing frame
    skipped: int  #: number of clips left out because a history frame is missing

    @property
    def miou(self) -> float:
        """Mean IoU in percent; NaN if every pixel of the ground truth is void."""
        return self.scores.miou

    @property
    def past(self) -> float | None:
        """Contribution of past frames in percent; None for a network of one frame."""
        return self.scores.past

    @property
    def tc(self) -> dict[str, float | None]:
        """Temporal consistency by preset."""
        return {c.preset: c.value for c in self.scores.consistency}

    def document(self) -> dict[str, object]:
        """Return the output of `evaluate --json`, without the checkpoint."""
        return self.scores.document(
            {
                "data": self.conditions.data,
                "split": "score",
                "spacing": self.conditions.score_spacing,
                "repeated": self.repeated,
                "skipped": self.skipped,
            }
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{'-' if iou is None else f'{iou:.2f}'}</td></tr>"
            for name, iou in self.scores.per_class.items()
        )
        return (
            f"<table><caption>mIoU {self.miou:.2f} % of {len(self.scores.matrices)} images,"
            f" {escape(self.conditions.data)}</caption>"
            f"<tr><th>class</th><th>IoU %</th></tr>{rows}</table>"
        )


def evaluate(
    net: nn.Module | Segment,
    data: str,
    *,
    root: Path | str | None = None,
    preset: str = "quick",
    conditions: Conditions | None = None,
    frames: int | None = None,
    device: str | None = None,
    flow_cache: Path | str | None = None,
    loader_threads: int | None = None,
) -> Evaluation:
    """Return the scores of a network on the scored split of a data set.

    Scores are mIoU, temporal consistency and, for a network of several frames, the contribution of
    past frames. Predictions are scored at the resolution of the labels.

        found = mb.evaluate(net, "camvid", root="CamVid")
        found.miou, found.tc, found.past

    Args:
        net: A network of this project, or any module or callable that maps a clip (B, T, 3, H, W),
            oldest frame first, ImageNet-normalised, to logits (B, K, h, w) or to an object with
            an attribute `logits`. It runs in evaluation mode; its modes are restored afterwards.
        data: street, a name of `datasets/`, or the path of a `.toml` file describing a data set.
        root: Folder of the data set; not needed for street, and by default the folder of the
            `.toml` file.
        preset: smoke, quick, standard or paper.
        conditions: Conditions to use instead of those of the preset.
        frames: Number of frames in the input of `net`, taken from the end of the clip. Defaults to
            its attribute `frames`, or to all frames of the conditions.
        device: Device of `net`; defaults to the device of its parameters.
        flow_cache: Folder for reuse of estimated flow in later calls.
        loader_threads: Number of threads that load clips while the network computes. By default
            none on a CPU; on a GPU, the free cores, up to 4.

    Raises:
        UsageError: If the data set or preset is unknown, or the root is missing.
        DataError: If the data are invalid, or the logits are not finite or of another number of
            classes.
    """
    chosen = conditions or read_conditions(preset, data, systems=True)
    clips = open_split(chosen, "score", root_of(data, root))
    network = as_network(net, frames, default=chosen.frames)
    place = device or next((str(p.device) for p in network.parameters()), "cpu")
    if loader_threads is None:
        loader_threads = default_threads(place, torch.get_num_threads())
    cache = None if flow_cache is None else Path(flow_cache)
    return evaluate_split(network, clips, chosen, place, cache, loader_threads)


def evaluate_split(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    device: str,
    flow_cache: Path | None = None,
    loader_threads: int = 0,
) -> Evaluation:
    """Return the scores of a network on the clips of a split.

    Args:
        net: Network on `device`; its modes are restored afterwards.
        clips: Clips of the split.
        conditions: Flow and presets of temporal consistency.
        device: Device of `net`.
        flow_cache: Cache folder of estimated flow.
        loader_threads: Number of threads that load clips ahead.

    Raises:
        DataError: If logits are not finite or of another number of classes.
    """
    with _evaluating(net):
        read = reader(net, clips, device, loader_threads)
        counts = score_split(net, clips, conditions, read, flow_cache=flow_cache)
    still = None if counts.still is None else counts.still.sum()
    scores = SplitScores(
        clips.classes, counts.confusion, still, counts.consistency, conditions.flow
    )
    return Evaluation(scores, conditions, clips.repeated, clips.skipped)


@contextmanager
def _evaluating(net: nn.Module) -> Generator[None]:
    """Restore the mode (training or evaluation) of every module on exit."""
    modes = [(module, module.training) for module in net.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
