"""Temporal consistency of label maps under named presets, each with its controls. Shapes: K
classes, P pairs, H W label map.

A preset is a protocol: how the later map is pulled back, which pixels have a vote, and what is
averaged. Two presets are two measures; they are never averaged. A pair is two frames that follow
each other in one video; a video is a run of pairs without a gap.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.ewarp import label_error, picture_error
from msaf_bench.analyzers.consistency.flows import Flows, Pair, flows_of
from msaf_bench.analyzers.consistency.matrices import agreement
from msaf_bench.analyzers.consistency.presets import PRESETS, Preset
from msaf_bench.analyzers.consistency.vc import window_shares
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.data.flow import FlowField
from msaf_bench.errors import DataError, one_of

__all__ = ["PRESETS", "Preset", "PresetScore", "chains", "consistency", "flows_of", "per_video"]

Labels = NDArray[np.uint8]
Parts = list[Any]  # a matrix or an error a pair, or a share a window, video by video


class Maps(Protocol):
    """Label maps (H, W) or pictures (H, W, 3) by the index of their frame."""

    def __getitem__(self, index: int, /) -> Labels: ...


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
    #: (P, K, K), video by video: rows the earlier map, columns the later one pulled back
    matrices: NDArray[np.int64] | None = None
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
) -> tuple[PresetScore, ...]:
    """The consistency of predictions under each preset. It goes pair by pair, so maps that are read
    when asked for need little memory.

    `truths` gives the control of that name and makes vc8 and vc16 possible; `pictures` give ewarp
    the control `frames`. Raises `UsageError` for an unknown preset, `DataError` for maps and flow
    of different sizes.
    """
    chosen = {name: PRESETS[one_of("consistency preset", name, PRESETS)] for name in presets}
    subjects: dict[str, Callable[[int], Labels]] = {
        "prediction": predictions.__getitem__,
        "constant": lambda index: np.zeros_like(predictions[index]),
    }
    if truths is not None:
        subjects["truth"] = truths.__getitem__
    videos = chains(pairs)
    pairwise_presets = {name: preset for name, preset in chosen.items() if not preset.window}
    parts, pixels = _pairwise(subjects, videos, flows, pairwise_presets, num_classes, pictures)
    for name, preset in chosen.items():
        if preset.window and truths is not None:
            parts[name] = {
                subject: [
                    share
                    for video in videos
                    for share in window_shares(maps, truths.__getitem__, video, preset.window)
                ]
                for subject, maps in subjects.items()
            }
    return tuple(_result(name, parts.get(name), videos, pixels) for name in chosen)


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
    parts = list(result.parts) if result.matrices is None else list(result.matrices)
    return [
        _value(preset, of, [video])
        for of, video in zip(_split(preset, parts, videos), videos, strict=True)
    ]


def _pairwise(
    subjects: Mapping[str, Callable[[int], Labels]],
    videos: Sequence[Sequence[int]],
    flows: Flows,
    presets: Mapping[str, Preset],
    num_classes: int,
    pictures: Maps | None,
) -> tuple[dict[str, dict[str, Parts]], int]:
    """By preset and subject the parts, and the number of pixels. Of the controls' matrices only the
    sum is kept.
    """
    parts: dict[str, dict[str, Parts]] = {name: {} for name in presets}
    pixels = 0
    for pair in (pair for video in videos for pair in pairwise(video)) if presets else ():
        motion = Warp(flows(pair))
        maps = {subject: (read(pair[0]), read(pair[1])) for subject, read in subjects.items()}
        _check_sizes(pair, maps, motion)
        pixels += motion.unknown.size
        zero = np.zeros_like(motion.flow.forward)
        cases = [(subject, of, motion) for subject, of in maps.items()] + [
            ("no_warp", maps["prediction"], Warp(FlowField(zero, zero)))
        ]
        for name, preset in presets.items():
            for subject, (earlier, later), warp in cases:
                kept = parts[name].setdefault(subject, [])
                kept.append((preset.matrix or label_error)(earlier, later, warp, num_classes))
                if preset.matrix and subject != "prediction":
                    kept[:] = [np.sum(kept, axis=0)]
            if not preset.matrix and pictures is not None:
                parts[name].setdefault("frames", []).append(
                    picture_error(pictures[pair[0]], pictures[pair[1]], motion)
                )
    return parts, pixels


def _check_sizes(pair: Pair, maps: Mapping[str, tuple[Labels, Labels]], motion: Warp) -> None:
    for subject, of in maps.items():
        sizes = ["x".join(map(str, each.shape)) for each in (*of, motion.unknown)]
        if len(set(sizes)) > 1:
            raise DataError(
                f"frames {pair[0]} and {pair[1]}: {subject} {sizes[0]} and {sizes[1]}, flow"
                f" {sizes[2]}; bring all to one size"
            )


def _result(
    name: str, parts: dict[str, Parts] | None, videos: Sequence[Sequence[int]], pixels: int
) -> PresetScore:
    preset = PRESETS[name]
    if parts is None:
        return PresetScore(name, None, "needs the true label map of every frame")
    if not videos:
        return PresetScore(name, None, "needs 2 frames that follow each other in a video")
    scored = parts["prediction"]
    if not scored:
        longest = max(map(len, videos))
        return PresetScore(
            name,
            None,
            f"needs more than {preset.window} frames without a gap; the longest video has"
            f" {longest}",
        )
    values = {subject: _value(preset, of, videos) for subject, of in parts.items()}
    value = values.pop("prediction")
    reason = "" if value is not None else "no pixel has a vote"
    if not preset.matrix:
        return PresetScore(name, value, reason, len(scored), values, parts=tuple(scored))
    matrices = np.stack(scored)
    whole = matrices.sum(0)
    return PresetScore(
        name,
        value,
        reason,
        len(scored),
        values,
        agreement(whole),
        float(100 * whole.sum() / pixels),
        matrices,
    )


def _value(preset: Preset, parts: Parts, videos: Sequence[Sequence[int]]) -> float | None:
    if preset.matrix:
        whole = np.sum(parts, axis=0)
        return preset.mean(whole) if whole.any() else None
    # Windows are averaged as they come, errors by video first; of either those that have a number.
    groups = [parts] if preset.window else _split(preset, parts, videos)
    means = [
        np.mean(known) for of in groups if (known := [part for part in of if np.isfinite(part)])
    ]
    return float(np.mean(means)) if means else None


def _split(preset: Preset, parts: Parts, videos: Sequence[Sequence[int]]) -> list[Parts]:
    """The parts of each video."""
    counts = [
        max(len(video) - preset.window, 0) if preset.window else len(video) - 1 for video in videos
    ]
    ends = np.cumsum(counts)
    return [parts[end - count : end] for count, end in zip(counts, ends, strict=True)]
