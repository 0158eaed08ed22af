"""The parts that a preset averages, collected while the frames of a video go by: a matrix or an
error of each pair, a share of each window. Shapes: K classes, H W label map.
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
Numbers = dict[str, list[float]]  #: errors or shares by subject, video by video
PREDICTION = "prediction"  #: the subject that is scored; the others are its controls


class Maps(Protocol):
    """Label maps (H, W) or pictures (H, W, 3) by the index of their frame."""

    def __getitem__(self, index: int, /) -> Labels: ...


class FrameMaps(NamedTuple):
    """A frame's label maps by subject."""

    frame: int
    maps: Mapping[str, Labels]


class PairParts:
    """The matrix or error of each pair under some presets. Of the controls' matrices only the sum
    is kept.
    """

    def __init__(self, presets: Mapping[str, Preset], num_classes: int) -> None:
        self.pixels = 0  #: of all pairs
        #: of the prediction, by preset
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
        """Score a pair. Raises `DataError` for maps and flow of different sizes."""
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
    """The share of each window under some presets, in videos all of whose frames have a true label
    map.
    """

    def __init__(self, presets: Mapping[str, Preset], videos: Sequence[Sequence[int]]) -> None:
        self.shares: dict[str, Numbers] = {name: {} for name in presets}
        shortest = min((preset.window for preset in presets.values()), default=0)
        scored = [video for video in videos if presets and len(video) > shortest]
        self.frames = {index for video in scored for index in video}  #: that have a part in it
        self._lengths = {video[0]: len(video) for video in scored}
        self._presets, self._video = presets, VideoWindows(0)

    def add(self, newest: FrameMaps) -> None:
        """Take the next frame. Raises `DataError` for maps of different sizes."""
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
                f" {sizes[2]}; bring all to one size"
            )
