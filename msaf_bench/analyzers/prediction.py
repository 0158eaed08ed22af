"""Label maps predicted for the frames of videos, one by one. Shapes: H W image."""

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

#: Is given the name of a file, the frame (H, W, 3) and its class ids (H, W).
OnFrame = Callable[[str, NDArray[np.uint8], NDArray[np.uint8]], None]


@dataclass(frozen=True)
class Videos:
    """The frames of a video file, or of the videos in a folder, which their names tell apart."""

    frames: Frames
    neighbours: Neighbours
    turned: Sequence[str]  #: frames that are turned as their file says

    @property
    def names(self) -> list[str]:
        """The files that `predict_videos` writes."""
        return [f"{key}.png" for key in self.frames.keys]

    @property
    def notes(self) -> list[str]:
        """How the frames were put in order, and where that is not a matter of course."""
        turned = [turned_note(self.turned)] if self.turned else []
        return [*self._order(), *map(str, self.frames.ignored), *turned]

    def document(self, out: Path) -> dict[str, object]:
        """Return what `predict --json` prints of the label maps in `out`."""
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
                f"gaps: {len(self.neighbours.gaps)}, such as from {before} to {after}; what the"
                " network keeps of the past reaches across them"
            )


def list_videos(place: Path, pattern: str | None = None) -> Videos:
    """List the frames of a folder and put them in order, or those of a video file.

    Raises `DataError` where frames of one video differ in size, their order is not clear, or a
    video file is cut or of a variable frame rate; `UsageError` for a pattern with a video file.
    """
    frames = open_frames(place)
    if frames.video:
        if pattern:
            raise UsageError(
                f"--frame-pattern {pattern}: {place} is a video, its frames have no names; leave it"
                " out"
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
    """Segment videos frame by frame; every video starts anew. Write one PNG of class ids per frame,
    of the frame's size.

    `size` is what the network sees, by default the frames' own. `on_frame` is called after each
    file. Raises `DataError` for logits that are not finite.
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
    """Where frames with their classes in colour go."""

    write: OnFrame
    about: Callable[[], str]  #: what was written, in words


@contextmanager
def overlays(place: Path, classes: ClassSet, rate: float) -> Generator[Overlays]:
    """Give what to call with each frame and its class ids, to write them with the classes' colours
    and a legend: as one video of `rate` frames per second, or as PNGs in a folder.

    The video takes its name at the end, when it is whole.
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
