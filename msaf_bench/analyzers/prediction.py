"""Prediction of label maps for the frames of videos, one by one. Shapes: H W image."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.frames.files import check_sizes, resized, write_picture
from msaf_bench.data.frames.neighbours import Neighbours, neighbours
from msaf_bench.data.frames.recording import recording
from msaf_bench.data.frames.sources import Frames, open_frames, turned_note
from msaf_bench.data.frames.video import is_video
from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.overlay import legend, overlay
from msaf_bench.data.labels.stack import write_stack
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import DataError, UsageError
from msaf_bench.outputs import entering

#: Arguments: name of the file, frame (H, W, 3), class ids (H, W).
OnFrame = Callable[[str, NDArray[np.uint8], NDArray[np.uint8]], None]


@dataclass(frozen=True)
class Videos:
    """Frames of a video file, or of the videos in a folder, told apart by their names."""

    frames: Frames
    neighbours: Neighbours
    turned: Sequence[str]  #: names of frames rotated by the orientation stored in their file

    @property
    def names(self) -> list[str]:
        """Names of the files written by `predict_videos`."""
        return [f"{key}.png" for key in self.frames.keys]

    @property
    def notes(self) -> list[str]:
        """Notes about the order of the frames, gaps, ignored files and rotated images."""
        turned = [turned_note(self.turned)] if self.turned else []
        return [*self._order(), *map(str, self.frames.ignored), *turned]

    def document(self, out: Path) -> dict[str, object]:
        """Return the output of `predict --json` for label maps in the folder `out`."""
        return {
            "frames": len(self.frames.keys),
            "out": str(out),
            "numbering": self.neighbours.describe(self.frames.keys),
            "rate": self.frames.video.rate if self.frames.video else None,
            "gaps": len(self.neighbours.gaps),
            "turned": len(self.turned),
            "ignored": [each._asdict() for each in self.frames.ignored],
            "notes": self.notes,
        }

    def _order(self) -> Iterator[str]:
        if self.frames.video:
            (height, width), rate = self.frames.video.size, self.frames.video.rate
            yield f"1 video of {height}x{width} at {rate:.6g} frames per second"
            return
        keys = self.frames.keys
        about = self.neighbours.describe(keys)
        count = len(self.neighbours.videos)
        videos = "1 video" if count == 1 else f"{count} videos"
        numbered = (
            f"{videos}, frames numbered as {' and '.join(about['patterns'][:2])} ({about['kind']})"
        )
        read = ", ".join(f"{key} is {number}" for key, number in about["read"].items())
        yield f"{numbered}: {read}" if read else numbered
        if self.neighbours.gaps:
            before, after = (keys[index] for index in self.neighbours.gaps[0])
            yield (
                f"gaps: {len(self.neighbours.gaps)}, such as from {before} to {after}; the network"
                " keeps its state across them"
            )


def list_videos(place: Path, pattern: str | None = None) -> Videos:
    """List the frames of a folder or video file in order.

    Raises `DataError` if frames of one video differ in size, their order is ambiguous, or a video
    file is truncated or has a variable frame rate; `UsageError` for a pattern with a video file.
    """
    frames = open_frames(place)
    if frames.video:
        if pattern:
            raise UsageError(
                f"--frame-pattern {pattern}: {place} is a video, its frames have no names; leave"
                " the option out"
            )
        found = neighbours(frames.keys, "{frame}")
        return Videos(frames, found, frames.turned(range(len(frames.keys))))
    found = neighbours(frames.keys, pattern)
    turned = [
        path.name
        for video in found.videos
        for path in check_sizes([frames.files[index] for index in video])
    ]
    return Videos(frames, found, turned)


def predict_videos(
    net: VideoNetwork,
    videos: Videos,
    out: Path,
    *,
    size: tuple[int, int] | None = None,
    device: str = "cpu",
    on_frame: OnFrame | None = None,
) -> None:
    """Segment videos frame by frame and write one PNG of class ids per frame.

    The network state is reset for each video. Label maps have the size of the frames.

    Args:
        net: Network on `device`, in evaluation mode.
        videos: Frames in order.
        out: Folder of the label maps.
        size: H, W of the network's input; defaults to the size of the frames.
        device: Device of `net`.
        on_frame: Called after each written file.

    Raises:
        DataError: If logits are not finite.
    """
    frames = videos.frames
    order = [(index, index == video[0]) for video in videos.neighbours.videos for index in video]
    stream = net.stream()
    with torch.inference_mode(), entering(out) as written:
        for index, first in order:
            stream = net.stream() if first else stream
            picture = frames.read(index)
            frame = normalise(resized(picture, size or picture.shape[:2])[None]).to(device)
            logits = functional.interpolate(stream.step(frame), picture.shape[:2], mode="bilinear")
            if not torch.isfinite(logits).all():
                raise DataError(
                    f"{frames.name(index)}: the network's logits are not finite; use a checkpoint"
                    " of an earlier step"
                )
            name = f"{frames.keys[index]}.png"
            labels = logits.argmax(1)[0].to("cpu", torch.uint8).numpy()
            write_stack(out / name, [labels])
            written.append(name)
            if on_frame:
                on_frame(name, picture, labels)


class Overlays(NamedTuple):
    """Writer of frames with their classes in colour."""

    write: OnFrame
    about: Callable[[], str]  #: returns a short description of the output


@contextmanager
def overlays(place: Path, classes: ClassSet, rate: float) -> Generator[Overlays]:
    """Open a writer of frames with the colours of their classes and a legend.

    `place` is a video file with `rate` frames per second, or a folder of PNGs. A video gets its
    final name only when it is complete.
    """

    def shown(picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = labels.shape
        below = legend(classes.names, classes.colours, width, height)
        return np.concatenate([overlay(picture, labels, classes.colours), below])

    def add_to_video(_: str, picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        video.write(shown(picture, labels))

    def write(name: str, picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        write_picture(place / name, shown(picture, labels))
        written.append(name)

    if is_video(place):
        with entering(place.parent) as written:
            with recording(place, rate) as video:
                yield Overlays(add_to_video, video.about)
            written.append(place.name)
    else:
        with entering(place) as written:
            yield Overlays(write, lambda: f"{len(written)} pictures")
