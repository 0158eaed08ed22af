"""Temporal consistency of label maps under named presets, with controls.

A preset defines the warping of the later map, the pixels with a vote, and the average. Two presets
are two measures; they are never averaged. A pair is two consecutive frames of one video. A video
is a run of pairs without a gap.

Shapes: K classes, P pairs, H W label map.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from msaf_bench.analyzers.consistency.flows import Flows, Pair, flows_of
from msaf_bench.analyzers.consistency.matrices import agreement
from msaf_bench.analyzers.consistency.parts import (
    PREDICTION,
    FrameMaps,
    Maps,
    Numbers,
    PairParts,
    WindowParts,
)
from msaf_bench.analyzers.consistency.presets import PRESETS, Preset
from msaf_bench.analyzers.consistency.vc import TRUTH
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.errors import one_of
from msaf_bench.matrices import Matrix, SparseMatrices

__all__ = ["PRESETS", "Maps", "PresetScore", "chains", "consistency", "flows_of", "per_video"]


class PresetScore(NamedTuple):
    """Score under one preset, or the reason why it has none."""

    preset: str
    value: float | None
    reason: str = ""
    pairs: int = 0  #: number of scored pairs; of windows for vc8 and vc16
    #: score of each control: truth, constant (class 0), no_warp (zero flow), frames (ewarp only)
    controls: Mapping[str, float | None] = {}
    #: share of votes that agree, in percent; None for a preset without matrices
    agreement: float | None = None
    #: share of pixels with a vote, in percent; None for a preset without matrices
    votes: float | None = None
    #: matrix of each pair, ordered by video: rows earlier map, columns later map warped back
    matrices: SparseMatrices | None = None
    #: error of each pair for ewarp, share of each window for vc8 and vc16; NaN without a vote
    parts: tuple[float, ...] = ()


def consistency(
    predictions: Maps,
    truths: Maps | None,
    pairs: Sequence[Pair],
    flows: Flows,
    presets: Sequence[str],
    num_classes: int,
    pictures: Maps | None = None,
    unlabelled: Container[int] = (),
) -> tuple[PresetScore, ...]:
    """Return the temporal consistency of predictions under each preset.

    Frames are visited in the order of `chains`. The maps of each frame are requested once, first
    the prediction, then the ground truth, and only two frames are kept. Maps that are read or
    predicted on demand therefore need little memory.

    Args:
        predictions: Predicted label maps by frame index.
        truths: Ground truth by frame index. Gives the control `truth` if every frame has a true
            label map, and vc8 and vc16 for windows of labelled frames.
        pairs: Pairs of frame indices.
        flows: Function from a pair to its flow.
        presets: Names of presets.
        num_classes: K.
        pictures: Images by frame index, for the control `frames` of ewarp.
        unlabelled: Frames without ground truth.

    Raises:
        UsageError: If a preset is unknown.
        DataError: If maps and flow differ in size.
    """
    chosen = {name: PRESETS[one_of("consistency preset", name, PRESETS)] for name in presets}
    of_pairs = {name: preset for name, preset in chosen.items() if not preset.window}
    of_windows = {name: preset for name, preset in chosen.items() if preset.window}
    labelled = [pair for pair in pairs if not any(index in unlabelled for index in pair)]
    whole = truths is not None and len(labelled) == len(pairs)
    subjects = (PREDICTION, "constant", TRUTH) if whole else (PREDICTION, "constant")
    by_pair = PairParts(of_pairs, num_classes)
    by_window = WindowParts(of_windows if truths is not None else {}, chains(labelled))
    videos = chains(pairs)
    for video in videos if of_pairs or by_window.frames else ():
        earlier = None
        for index in video:
            needed = whole or index in by_window.frames
            later = _maps(index, predictions, truths if needed else None)
            if of_pairs and earlier is not None:
                motion = Warp(flows((earlier.frame, index)))
                by_pair.add(earlier, later, subjects, motion, pictures)
            if index in by_window.frames:
                by_window.add(later)
            earlier = later
    results = {name: _pooled(name, by_pair) for name in by_pair.matrices if videos}
    for name, numbers in (by_pair.errors | by_window.shares).items():
        if numbers:
            results[name] = _averaged(name, numbers, videos)
    return tuple(
        results.get(name) or PresetScore(name, None, _lacking(preset, videos, whole))
        for name, preset in chosen.items()
    )


def _maps(index: int, predictions: Maps, truths: Maps | None) -> FrameMaps:
    predicted = predictions[index]
    maps = {PREDICTION: predicted, "constant": np.zeros_like(predicted)}
    if truths is not None:
        maps[TRUTH] = truths[index]
    return FrameMaps(index, maps)


def _lacking(preset: Preset, videos: Sequence[Sequence[int]], labelled: bool) -> str:
    """Return why there is no pair or window; `labelled`: every frame has a true label map."""
    if preset.window and not labelled:
        return "needs the true label map of every frame"
    if not videos:
        return "needs 2 consecutive frames of a video"
    return (
        f"needs more than {preset.window} frames without a gap; the longest video has"
        f" {max(map(len, videos))}"
    )


def chains(pairs: Sequence[Pair]) -> list[list[int]]:
    """Join pairs into videos: runs of frames without a gap, ordered by their first pair."""
    after, later = dict(pairs), {j for _, j in pairs}
    videos = list[list[int]]()
    for start in (i for i, _ in pairs if i not in later):
        video = [start]
        while video[-1] in after:
            video.append(after[video[-1]])
        videos.append(video)
    return videos


def per_video(result: PresetScore, videos: Sequence[Sequence[int]]) -> list[float | None]:
    """Return the score of each video of `chains`; None for a video without a score."""
    preset = PRESETS[result.preset]
    if result.matrices is None:
        each = zip(_spans(preset, videos), videos, strict=True)
        return [_mean(preset, result.parts[span], [video]) for span, video in each]
    return [_of_whole(preset, result.matrices[span].sum()) for span in _spans(preset, videos)]


def _pooled(name: str, found: PairParts) -> PresetScore:
    preset, matrices = PRESETS[name], found.matrices[name]
    whole = matrices.sum()
    value = _of_whole(preset, whole)
    return PresetScore(
        name,
        value,
        _why(value),
        len(matrices),
        {subject: _of_whole(preset, counts) for subject, counts in found.sums[name].items()},
        agreement(whole),
        float(100 * whole.sum() / found.pixels),
        matrices,
    )


def _averaged(name: str, numbers: Numbers, videos: Sequence[Sequence[int]]) -> PresetScore:
    values = {subject: _mean(PRESETS[name], of, videos) for subject, of in numbers.items()}
    value, scored = values.pop(PREDICTION), numbers[PREDICTION]
    return PresetScore(name, value, _why(value), len(scored), values, parts=tuple(scored))


def _why(value: float | None) -> str:
    return "" if value is not None else "no pixel has a vote"


def _of_whole(preset: Preset, whole: Matrix) -> float | None:
    return preset.mean(whole) if whole.any() else None


def _mean(preset: Preset, parts: Sequence[float], videos: Sequence[Sequence[int]]) -> float | None:
    # Errors are averaged per video first, windows all at once. Parts without a number are left out.
    spans = [slice(None)] if preset.window else _spans(preset, videos)
    groups = [[part for part in parts[span] if np.isfinite(part)] for span in spans]
    means = [np.mean(known) for known in groups if known]
    return float(np.mean(means)) if means else None


def _spans(preset: Preset, videos: Sequence[Sequence[int]]) -> list[slice]:
    """Return the slice of the parts of each video."""
    counts = [
        max(len(video) - preset.window, 0) if preset.window else len(video) - 1 for video in videos
    ]
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
