"""Procedural street with exact labels, flow and occlusion: a data set that needs no download.

`scene` places the `objects` and drives the camera. `geometry` finds the visible surface of each
pixel and its motion. `image` paints clear frames, `disturbance` degrades them, and `files` writes
videos to disk.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clip
from msaf_bench.data.flow import FlowField
from msaf_bench.data.histories import histories
from msaf_bench.data.labels.classes import CAMVID_CLASSES, Colour
from msaf_bench.data.street.disturbance import EFFECTS, disturb
from msaf_bench.data.street.geometry import motion, view
from msaf_bench.data.street.image import paint
from msaf_bench.data.street.objects import ROAD, SIDEWALK, SKY
from msaf_bench.data.street.scene import populate
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import Conditions, Option

#: Default strengths of the disturbances: 0 is off, 1 is strong. `speed` scales the camera's motion.
KNOBS: dict[str, float] = {name: default for name, (_, default) in EFFECTS.items()} | {"speed": 1.0}
#: Number of videos per split, and frames per video.
COUNTS: dict[str, int] = {"train_videos": 64, "score_videos": 24, "video_frames": 8}

OWN = "own_videos"  #: option: each seed trains on its own videos

STRONGEST = 1e4  #: upper limit of any option; the scene is invisible long before
SMALLEST, LARGEST = 16, 8192  #: limits for the rows and columns of a frame
SMALL = 2**16  #: largest video in pixels for the large motion cache (24 bytes per pixel)


# Class colours in pictures. They differ clearly from each other and from black (void), also for
# colour-blind readers.
COLOURS: tuple[Colour, ...] = (
    (181, 189, 252),  # sky
    (157, 150, 161),  # building
    (254, 255, 39),  # pole
    (76, 77, 65),  # road
    (176, 91, 230),  # sidewalk
    (60, 175, 97),  # tree
    (244, 255, 247),  # sign
    (106, 68, 0),  # fence
    (0, 41, 228),  # car
    (213, 160, 21),  # pedestrian
    (120, 21, 114),  # bicyclist
)


class Video(NamedTuple):
    """T frames with their ground truth.

    The scene extends before and after the video, so flow is also defined for the first and the last
    frame.
    """

    images: NDArray[np.uint8]  #: (T, H, W, 3)
    labels: NDArray[np.uint8]  #: (T, H, W): the class at each pixel's centre
    #: (T, H, W, 2): pixel p of frame t is at p + (dx, dy) in frame t + 1
    flow_forward: NDArray[np.float32]
    flow_backward: NDArray[np.float32]  #: (T, H, W, 2): flow to frame t - 1
    #: (T, H, W): points of frame t that are hidden or out of the frame at t + 1
    occluded_forward: NDArray[np.bool_]
    occluded_backward: NDArray[np.bool_]  #: (T, H, W): occlusion at t - 1


def _strengths(knobs: Mapping[str, Option]) -> dict[str, float]:
    for name, value in knobs.items():
        one_of("street option", name, KNOBS)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= STRONGEST
        ):
            raise UsageError(
                f"street option {name} = {value!r:.60}: needs a number from 0 to {STRONGEST:g}"
            )
    return KNOBS | {name: float(cast("float", value)) for name, value in knobs.items()}


def make_video(
    seed: int, frames: int = 8, size: tuple[int, int] = (64, 128), **knobs: float
) -> Video:
    """Make the video of `seed`, at 15 frames per second.

    The video depends only on the arguments, and a longer video begins with the shorter one.

    Args:
        seed: seed of the video, >= 0.
        frames: number of frames.
        size: H, W of the frames, 16 to 8192 each.
        knobs: strengths of `KNOBS`; all except `speed` change only the images.

    Raises:
        UsageError: if a knob is unknown, negative or too large, or another argument is out of
            range.
    """
    strengths = _strengths(knobs)
    if seed < 0 or frames < 1 or min(size) < SMALLEST or max(size) > LARGEST:
        least = f"needs a seed >= 0, 1 frame and sides of {SMALLEST} to {LARGEST}"
        raise UsageError(f"street: seed {seed}, {frames} frames of {size[0]}x{size[1]}; {least}")
    scene = populate(seed, frames, strengths["speed"])
    seen = view(scene, size)
    images, inverse_depth = paint(scene, seen)
    disturb(images, seed, strengths)
    label_of = np.append(scene.panels["label"], (ROAD, SIDEWALK, SKY)).astype(np.uint8)
    labels = label_of[seen.front[1:-1]]
    forward, backward = (motion(scene, seen, inverse_depth, step) for step in (1, -1))
    return Video(images, labels, forward.flow, backward.flow, forward.occluded, backward.occluded)


class _Videos(NamedTuple):
    images: NDArray[np.uint8]  # (N, T, H, W, 3)
    labels: NDArray[np.uint8]  # (N, T, H, W)
    fingerprint: str


@lru_cache(maxsize=8)
def _videos(
    seeds: range, frames: int, size: tuple[int, int], knobs: tuple[tuple[str, float], ...]
) -> _Videos:
    images = np.empty((len(seeds), frames, *size, 3), np.uint8)
    labels = np.empty((len(seeds), frames, *size), np.uint8)
    for i, seed in enumerate(seeds):
        images[i], labels[i], *_ = make_video(seed, frames, size, **dict(knobs))
    images.flags.writeable = labels.flags.writeable = False
    digest = hashlib.sha256(images.data)
    digest.update(labels.data)
    return _Videos(images, labels, digest.hexdigest()[:12])


def _motion(seed: int, frames: int, size: tuple[int, int], speed: float) -> Video:
    """Return the video with undisturbed images, for its motion.

    Many small videos are cached, but only the last large one.
    """
    cached = _many if frames * size[0] * size[1] <= SMALL else _last
    return cached(seed, frames, size, speed)


def _undisturbed(seed: int, frames: int, size: tuple[int, int], speed: float) -> Video:
    return make_video(seed, frames, size, **dict.fromkeys(EFFECTS, 0.0), speed=speed)


_many, _last = lru_cache(maxsize=256)(_undisturbed), lru_cache(maxsize=1)(_undisturbed)


class Street:
    """Split of procedural videos; implements `Clips`.

    Videos are made once per process and kept in memory; motion is computed on request.

    Training videos have even seeds (0, 2, ...), scored videos odd seeds (1, 3, ...), so that they
    differ for any number of videos. Every frame with a complete history is the end of a clip. If
    there is none, all frames are, and `conditions.history` sets the rule for missing frames.
    `conditions.data_options` may set the options of `COUNTS` and `KNOBS`. With `own_videos` = true,
    every `seed` trains on its own videos; seed 0 uses the videos that are otherwise shared by all
    seeds. Raises `UsageError` for an option that is unknown or out of range, and the errors of
    `histories`.
    """

    classes: tuple[str, ...] = CAMVID_CLASSES
    colours: tuple[Colour, ...] = COLOURS
    unlabelled = 0

    def __init__(
        self, conditions: Conditions, split: Literal["train", "score"], seed: int = 0
    ) -> None:
        counts, knobs, own = _options(dict(conditions.data_options))
        videos = 2 * counts[f"{split}_videos"]
        first = videos * seed if own and split == "train" else int(split == "score")
        self._seeds = range(first, first + videos, 2)
        self._videos = _videos(
            self._seeds, counts["video_frames"], conditions.size, tuple(sorted(knobs.items()))
        )
        self._speed = knobs["speed"]
        spacing = conditions.train_spacing if split == "train" else conditions.score_spacing
        ends = _ends(counts["video_frames"], (conditions.frames - 1) * spacing)
        newest = [(video, end) for video in range(len(self._seeds)) for end in ends]

        def past(i: int, back: int) -> int | None:
            frame = newest[i][1] - back * spacing
            return frame if frame >= 0 else None

        def missing(i: int, back: int) -> str:
            video, end = newest[i]
            return (
                f"street video {self._seeds[video]:05d}: frame {end} has none {back * spacing}"
                " before it"
            )

        whole = histories(len(newest), past, conditions.frames, conditions.history, missing)
        self._clips = [
            (newest[i][0], frames) for i, frames in zip(whole.kept, whole.clips, strict=True)
        ]
        self.repeated, self.skipped = whole.repeated, whole.skipped
        self.videos = tuple(f"{self._seeds[video]:05d}" for video, _ in self._clips)
        self.pairs = tuple((i, i + 1) for i in range(len(self) - 1) if self._neighbours(i, i + 1))
        self.fingerprint = self._videos.fingerprint

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        video, frames = self._clips[index]
        name = f"{self.videos[index]}/{frames[-1]:03d}"
        return Clip(
            self._videos.images[video, list(frames)], self._videos.labels[video, frames[-1]], name
        )

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return the newest frame of a clip, (H, W, 3)."""
        video, frames = self._clips[index]
        return self._videos.images[video, frames[-1]]

    def exact_flow(self, pair: tuple[int, int]) -> FlowField | None:
        """Return the true motion of a pair, with points hidden or out of the frame afterwards.

        Returns None if the two clips are not neighbours.
        """
        if not self._neighbours(*pair):
            return None
        (video, (*_, earlier)), (_, (*_, later)) = (self._clips[i] for i in pair)
        motion = _motion(
            self._seeds[video],
            self._videos.images.shape[1],
            self._videos.images.shape[2:4],
            self._speed,
        )
        return FlowField(
            motion.flow_forward[earlier],
            motion.flow_backward[later],
            motion.occluded_forward[earlier],
        )

    def exact_past(self, index: int) -> tuple[FlowField, ...] | None:
        """Return the true motion from the newest frame of a clip to each past frame, oldest first.

        Motion over several frames is composed of single steps. A point hidden in any step counts as
        hidden.
        """
        video, frames = self._clips[index]
        motion = _motion(
            self._seeds[video],
            self._videos.images.shape[1],
            self._videos.images.shape[2:4],
            self._speed,
        )
        return tuple(_followed(motion, frames[-1], frame) for frame in frames[:-1])

    def _neighbours(self, earlier: int, later: int) -> bool:
        (video, frames), (other, others) = self._clips[earlier], self._clips[later]
        return video == other and frames[-1] + 1 == others[-1]


def _followed(motion: Video, newest: int, past: int) -> FlowField:
    """Return the motion from one frame of a video back to an earlier one.

    It is composed of the steps between them.
    """
    height, width = motion.labels.shape[1:]
    place = np.stack(
        np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1
    )
    start, hidden = place, np.zeros((height, width), bool)
    for t in range(newest, past, -1):
        column, row = place[..., 0], place[..., 1]
        step = cv2.remap(
            motion.flow_backward[t], column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        covered = motion.occluded_backward[t].astype(np.uint8)
        lost = cv2.remap(
            covered, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1
        )
        place, hidden = place + np.asarray(step, np.float32), hidden | np.asarray(lost, bool)
    return FlowField(place - start, None, hidden)


def _ends(length: int, reach: int) -> range:
    """Return the frames that end a clip with a history of `reach` frames; all if there are none."""
    return range(reach if reach < length else 0, length)


def _options(given: Mapping[str, Option]) -> tuple[dict[str, int], dict[str, float], bool]:
    for name in given:
        one_of("street option", name, (*COUNTS, *KNOBS, OWN))
    own = given.get(OWN, False)
    if not isinstance(own, bool):
        raise UsageError(f"street option {OWN} = {own!r}: needs true or false")
    counts = dict(COUNTS)
    for name in counts.keys() & given.keys():
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"street option {name} = {value!r}: needs a whole number >= 1")
        counts[name] = value
    return counts, _strengths({name: value for name, value in given.items() if name in KNOBS}), own
