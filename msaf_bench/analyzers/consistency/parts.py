"""Parts that a preset averages, collected frame by frame.

A part is a matrix or an error per pair, or a share per window. Shapes: K classes, H W label map.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.ewarp import label_error, picture_error
from msaf_bench.analyzers.consistency.flows import Pair
from msaf_bench.analyzers.consistency.presets import Preset
from msaf_bench.analyzers.consistency.vc import VideoWindows
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.data.flow import FlowField
from msaf_bench.errors import DataError
from msaf_bench.matrices import Matrix, SparseMatrices

Labels = NDArray[np.uint8]
Numbers = dict[str, list[float]]  #: errors or shares by subject, ordered by video
PREDICTION = "prediction"  #: the scored subject; all other subjects are controls


class Maps(Protocol):
    """Label maps (H, W) or images (H, W, 3) by frame index."""

    def __getitem__(self, index: int, /) -> Labels: ...


class FrameMaps(NamedTuple):
    """Label maps of one frame by subject."""

    frame: int
    maps: Mapping[str, Labels]


class PairParts:
    """Matrix or error of each pair under some presets; for the controls, only summed matrices."""

    def __init__(self, presets: Mapping[str, Preset], num_classes: int) -> None:
        self.pixels = 0  #: number of pixels of all pairs
        #: matrices of the prediction by preset
        self.matrices = {
            name: SparseMatrices(num_classes) for name, preset in presets.items() if preset.matrix
        }
        self.sums: dict[str, dict[str, Matrix]] = {name: {} for name in self.matrices}
        self.errors: dict[str, Numbers] = {name: {} for name in presets.keys() - self.matrices}
        self._presets, self._classes = presets, num_classes

    def add(
        self,
        earlier: FrameMaps,
        later: FrameMaps,
        subjects: Sequence[str],
        motion: Warp,
        pictures: Maps | None = None,
    ) -> None:
        """Score a pair of frames.

        Args:
            earlier: Label maps of the earlier frame.
            later: Label maps of the later frame.
            subjects: Subjects to score; `PREDICTION` must be one of them.
            motion: Flow of the pair.
            pictures: Images for the control `frames` of ewarp.

        Raises:
            DataError: If maps and flow differ in size.
        """
        pair = earlier.frame, later.frame
        maps = {subject: (earlier.maps[subject], later.maps[subject]) for subject in subjects}
        _check_sizes(pair, maps, motion)
        self.pixels += motion.unknown.size
        zero = np.zeros_like(motion.flow.forward)
        cases = [(subject, of, motion) for subject, of in maps.items()] + [
            ("no_warp", maps[PREDICTION], Warp(FlowField(zero, zero)))
        ]
        for name, preset in self._presets.items():
            for subject, of, warp in cases:
                if preset.matrix:
                    self._keep(name, subject, preset.matrix(*of, warp, self._classes))
                else:
                    error = label_error(*of, warp, self._classes)
                    self.errors[name].setdefault(subject, []).append(error)
            if not preset.matrix and pictures is not None:
                error = picture_error(pictures[pair[0]], pictures[pair[1]], motion)
                self.errors[name].setdefault("frames", []).append(error)

    def _keep(self, name: str, subject: str, matrix: Matrix) -> None:
        if subject == PREDICTION:
            self.matrices[name].append(matrix)
        elif subject in self.sums[name]:
            self.sums[name][subject] += matrix
        else:
            self.sums[name][subject] = matrix


class WindowParts:
    """Share of each window under some presets, in videos with ground truth for every frame."""

    def __init__(self, presets: Mapping[str, Preset], videos: Sequence[Sequence[int]]) -> None:
        self.shares: dict[str, Numbers] = {name: {} for name in presets}
        shortest = min((preset.window for preset in presets.values()), default=0)
        scored = [video for video in videos if presets and len(video) > shortest]
        self.frames = {index for video in scored for index in video}  #: frames of scored videos
        self._lengths = {video[0]: len(video) for video in scored}
        self._presets, self._video = presets, VideoWindows(0)

    def add(self, newest: FrameMaps) -> None:
        """Add the next frame. Raises `DataError` if its maps differ in size."""
        if newest.frame in self._lengths:
            self._video = VideoWindows(self._lengths[newest.frame])
        self._video.add(newest.frame, newest.maps)
        for name, preset in self._presets.items():
            for subject, share in self._video.shares(preset.window).items():
                self.shares[name].setdefault(subject, []).append(share)


def _check_sizes(pair: Pair, maps: Mapping[str, tuple[Labels, Labels]], motion: Warp) -> None:
    for subject, of in maps.items():
        sizes = ["x".join(map(str, each.shape)) for each in (*of, motion.unknown)]
        if len(set(sizes)) > 1:
            raise DataError(
                f"frames {pair[0]} and {pair[1]}: {subject} {sizes[0]} and {sizes[1]}, flow"
                f" {sizes[2]}; resize all to the same size"
            )
