"""Temporal consistency of label maps under named presets, each with its controls. Shapes: K
classes, P pairs, H W label map.

A preset is a protocol: how the later map is pulled back, which pixels have a vote, and what is
averaged. Two presets are two measures; they are never averaged. A pair is two frames that follow
each other in one video; a video is a run of pairs without a gap.
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
    """One preset's number, or the reason why there is none."""

    preset: str
    value: float | None
    reason: str = ""
    pairs: int = 0  #: scored; of vc8 and vc16 the windows
    #: the same of truth, constant (class 0), no_warp (zero flow), frames (of ewarp)
    controls: Mapping[str, float | None] = {}
    #: share of the votes that agree, in percent, where there are matrices
    agreement: float | None = None
    #: share of the pixels that have one, in percent, where there are matrices
    votes: float | None = None
    #: of each pair, video by video: rows the earlier map, columns the later one pulled back
    matrices: SparseMatrices | None = None
    #: of ewarp the error of each pair, of vc8 and vc16 the share of each window; NaN where there is
    #: none
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
    """The consistency of predictions under each preset.

    It goes frame by frame in the order of `chains`, asks for each frame's maps once, the true one
    after the predicted one, and keeps those of two frames: maps that are read or predicted when
    asked for need little memory.
    `truths` gives the control of that name and makes vc8 and vc16 possible: the control where every
    frame has a true label map, windows where all of theirs have. `unlabelled` are the frames
    without one. `pictures` give ewarp the control `frames`. Raises `UsageError` for an unknown
    preset, `DataError` for maps and flow of different sizes.
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
    """Why there is no pair, or no window; `labelled` says that every frame has a true label map."""
    if preset.window and not labelled:
        return "needs the true label map of every frame"
    if not videos:
        return "needs 2 frames that follow each other in a video"
    return (
        f"needs more than {preset.window} frames without a gap; the longest video has"
        f" {max(map(len, videos))}"
    )


def chains(pairs: Sequence[Pair]) -> list[list[int]]:
    """Pairs joined into videos: runs of frames without a gap, in the order of their first pair."""
    after, later = dict(pairs), {j for _, j in pairs}
    videos = list[list[int]]()
    for start in (i for i, _ in pairs if i not in later):
        video = [start]
        while video[-1] in after:
            video.append(after[video[-1]])
        videos.append(video)
    return videos


def per_video(result: PresetScore, videos: Sequence[Sequence[int]]) -> list[float | None]:
    """The number of each video of `chains` by itself; None where it has none."""
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
    # Windows are averaged as they come, errors by video first; of either those that have a number.
    spans = [slice(None)] if preset.window else _spans(preset, videos)
    groups = [[part for part in parts[span] if np.isfinite(part)] for span in spans]
    means = [np.mean(known) for known in groups if known]
    return float(np.mean(means)) if means else None


def _spans(preset: Preset, videos: Sequence[Sequence[int]]) -> list[slice]:
    """The places of each video's parts."""
    counts = [
        max(len(video) - preset.window, 0) if preset.window else len(video) - 1 for video in videos
    ]
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
