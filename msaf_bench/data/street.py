"""A procedural street with exact labels, exact flow and exact occlusion: a data set that needs no download."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import CAMVID_CLASSES, CAMVID_COLOURS, Clip
from msaf_bench.data.street_disturbance import EFFECTS, disturb
from msaf_bench.data.street_geometry import motion, view
from msaf_bench.data.street_image import paint
from msaf_bench.data.street_objects import ROAD, SIDEWALK, SKY
from msaf_bench.data.street_scene import populate
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import Conditions, Option

#: Strengths of what makes the street hard, and their defaults: 0 is off, 1 is a lot. `speed` scales the camera's own motion.
KNOBS: dict[str, float] = {name: default for name, (_, default) in EFFECTS.items()} | {"speed": 1.0}
#: How many videos a split has, and how long they are.
COUNTS: dict[str, int] = {"train_videos": 64, "score_videos": 24, "video_frames": 8}

SMALLEST = 16  #: rows or columns of a frame, at least


class Video(NamedTuple):
    """T frames with what is known about them. The scene exists before and after, so flow does for the first and the last frame too."""

    images: NDArray[np.uint8]  #: (T, H, W, 3)
    labels: NDArray[np.uint8]  #: (T, H, W): the class at each pixel's centre
    flow_forward: NDArray[np.float32]  #: (T, H, W, 2): pixel p of frame t is at p + (dx, dy) in frame t + 1
    flow_backward: NDArray[np.float32]  #: the same for frame t - 1
    occluded_forward: NDArray[np.bool_]  #: (T, H, W): the point seen at t is hidden or out of the frame at t + 1
    occluded_backward: NDArray[np.bool_]  #: the same for t - 1


def _strengths(knobs: Mapping[str, Option]) -> dict[str, float]:
    for name, value in knobs.items():
        one_of("street option", name, KNOBS)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
            raise UsageError(f"street option {name} = {value!r}: needs a number >= 0")
    return KNOBS | {name: float(cast("float", value)) for name, value in knobs.items()}


def make_video(seed: int, frames: int = 8, size: tuple[int, int] = (64, 128), **knobs: float) -> Video:
    """The video of `seed`, at 15 frames a second. It depends on the arguments alone, and a longer one begins with the shorter one.

    `knobs` are those of `KNOBS`; all but `speed` change the images only. Raises `UsageError` for an unknown or negative one.
    """
    strengths = _strengths(knobs)
    if seed < 0 or frames < 1 or min(size) < SMALLEST:
        least = f"needs a seed >= 0, 1 frame and {SMALLEST}x{SMALLEST} pixels"
        raise UsageError(f"street: seed {seed}, {frames} frames of {size[0]}x{size[1]}; {least}")
    scene = populate(seed, frames, strengths["speed"])
    seen = view(scene, size)
    images, inverse_depth = paint(scene, seen)
    disturb(images, seed, strengths)
    labels = np.append(scene.panels["label"], (ROAD, SIDEWALK, SKY)).astype(np.uint8)[seen.front[1:-1]]
    forward, backward = (motion(scene, seen, inverse_depth, step) for step in (1, -1))
    return Video(images, labels, forward.flow, backward.flow, forward.occluded, backward.occluded)


class _Videos(NamedTuple):
    images: NDArray[np.uint8]  # (N, T, H, W, 3)
    labels: NDArray[np.uint8]  # (N, T, H, W)
    fingerprint: str


@lru_cache(maxsize=8)
def _videos(seeds: range, frames: int, size: tuple[int, int], knobs: tuple[tuple[str, float], ...]) -> _Videos:
    images, labels = np.empty((len(seeds), frames, *size, 3), np.uint8), np.empty((len(seeds), frames, *size), np.uint8)
    for i, seed in enumerate(seeds):
        images[i], labels[i], *_ = make_video(seed, frames, size, **dict(knobs))
    images.flags.writeable = labels.flags.writeable = False
    digest = hashlib.sha256(images.data)
    digest.update(labels.data)
    return _Videos(images, labels, digest.hexdigest()[:12])


class Street:
    """A split of procedural videos, as `Clips`: made once a process, then kept in memory.

    Training videos have even seeds (0, 2, ...), scored ones odd seeds (1, 3, ...), so that no number of videos makes them meet. Every
    frame whose whole history exists is the end of a clip; where no frame has it, all are, and the oldest frame stands in.
    `conditions.data_options` may set those of `COUNTS` and `KNOBS`. Raises `UsageError` for an option that is unknown or out of range.
    """

    classes: tuple[str, ...] = CAMVID_CLASSES
    colours: tuple[tuple[int, int, int], ...] = CAMVID_COLOURS

    def __init__(self, conditions: Conditions, split: Literal["train", "score"]) -> None:
        counts, knobs = _options(dict(conditions.data_options))
        self._seeds = range(split == "score", 2 * counts[f"{split}_videos"], 2)
        length = counts["video_frames"]
        self._videos = _videos(self._seeds, length, conditions.size, tuple(sorted(knobs.items())))
        spacing = conditions.train_spacing if split == "train" else conditions.score_spacing
        self._history = np.arange(1 - conditions.frames, 1) * spacing
        self._first = -int(self._history[0]) if length + self._history[0] > 0 else 0
        self._ends = length - self._first  # clips a video
        missing = np.arange(self._first, length)[:, None] + self._history < 0
        self.repeated = int(missing.sum()) * len(self._seeds)
        self.fingerprint = self._videos.fingerprint

    def __len__(self) -> int:
        return len(self._seeds) * self._ends

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        video, end = index // self._ends, self._first + index % self._ends
        frames = np.maximum(end + self._history, 0)
        return Clip(self._videos.images[video, frames], self._videos.labels[video, end], f"{self._seeds[video]:05d}/{end:03d}")


def _options(given: Mapping[str, Option]) -> tuple[dict[str, int], dict[str, float]]:
    for name in given:
        one_of("street option", name, COUNTS | KNOBS)
    counts = dict(COUNTS)
    for name in counts.keys() & given.keys():
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"street option {name} = {value!r}: needs a whole number >= 1")
        counts[name] = value
    return counts, _strengths({name: value for name, value in given.items() if name in KNOBS})
