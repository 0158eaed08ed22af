"""Label maps predicted for the videos of a folder, frame by frame. Shapes: H W image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.frames.files import check_sizes, list_frames, read_frame, resized
from msaf_bench.data.frames.neighbours import Neighbours, neighbours
from msaf_bench.data.labels.stack import write_stack
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import DataError
from msaf_bench.folders import Ignored
from msaf_bench.outputs import entering


@dataclass(frozen=True)
class VideoFolder:
    """The frames of one or several videos, which their names tell apart."""

    keys: Sequence[str]
    paths: Sequence[Path]
    neighbours: Neighbours
    turned: Sequence[Path]  #: frames that are turned as their EXIF orientation says
    ignored: Sequence[Ignored]

    @property
    def names(self) -> list[str]:
        """The files that `predict_videos` writes."""
        return [f"{key}.png" for key in self.keys]

    @property
    def notes(self) -> list[str]:
        """How the frames were put in order, and where that is not a matter of course."""
        return [*self._order(), *map(str, self.ignored), *self._turned()]

    def document(self, out: Path) -> dict[str, object]:
        """Return what `predict --json` prints of the label maps in `out`."""
        return {
            "frames": len(self.paths),
            "out": str(out),
            "numbering": self.neighbours.describe(self.keys),
            "gaps": len(self.neighbours.gaps),
            "turned": len(self.turned),
            "ignored": [each._asdict() for each in self.ignored],
            "notes": self.notes,
        }

    def _order(self) -> Iterator[str]:
        about = self.neighbours.describe(self.keys)
        count = len(self.neighbours.videos)
        videos = "1 video" if count == 1 else f"{count} videos"
        numbered = (
            f"{videos}, frames numbered as {' and '.join(about['patterns'][:2])} ({about['kind']})"
        )
        read = ", ".join(f"{key} is {number}" for key, number in about["read"].items())
        yield f"{numbered}: {read}" if read else numbered
        if self.neighbours.gaps:
            before, after = (self.keys[index] for index in self.neighbours.gaps[0])
            yield (
                f"gaps: {len(self.neighbours.gaps)}, such as from {before} to {after}; what the"
                " network keeps of the past reaches across them"
            )

    def _turned(self) -> Iterator[str]:
        if self.turned:
            yield (
                f"{len(self.turned)} frames are turned as their EXIF orientation says, such as"
                f" {self.turned[0].name}"
            )


def list_videos(frames: Path, pattern: str | None = None) -> VideoFolder:
    """List the frames of a folder and put them in order. Raises `DataError` where frames of one
    video differ in size or their order is not clear.
    """
    by_key, ignored = list_frames(frames)
    keys, paths = list(by_key), list(by_key.values())
    found = neighbours(keys, pattern)
    turned = [
        path for video in found.videos for path in check_sizes([paths[index] for index in video])
    ]
    return VideoFolder(keys, paths, found, turned, ignored)


def predict_videos(
    net: VideoNetwork,
    videos: VideoFolder,
    out: Path,
    *,
    size: tuple[int, int] | None = None,
    device: str = "cpu",
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Segment videos frame by frame; every video starts anew. Write one PNG of class ids per frame,
    of the frame's size.

    `size` is what the network sees, by default the frames' own. Raises `DataError` for logits that
    are not finite.
    """
    order = [(index, index == video[0]) for video in videos.neighbours.videos for index in video]
    stream = net.stream()
    with torch.inference_mode(), entering(out) as written:
        for index, first in order:
            stream = net.stream() if first else stream
            picture = read_frame(videos.paths[index])
            frame = normalise(resized(picture, size or picture.shape[:2])[None]).to(device)
            logits = functional.interpolate(stream.step(frame), picture.shape[:2], mode="bilinear")
            if not torch.isfinite(logits).all():
                raise DataError(
                    f"{videos.paths[index]}: the network's logits are not finite; use a checkpoint"
                    " of an earlier step"
                )
            name = f"{videos.keys[index]}.png"
            write_stack(out / name, [logits.argmax(1)[0].to("cpu", torch.uint8).numpy()])
            written.append(name)
            on_frame()
