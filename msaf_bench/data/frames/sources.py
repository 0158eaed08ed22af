"""Frames given by the user: a folder of pictures, or a video file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.files import SUFFIXES, frame_size, list_frames, read_frame
from msaf_bench.data.frames.timeline import VideoInfo
from msaf_bench.data.frames.video import is_video, probe, read_video_frame
from msaf_bench.errors import DataError
from msaf_bench.folders import Ignored, list_by_key
from msaf_bench.spec.data_sets import VIDEO_FILES


@dataclass(frozen=True)
class Frames:
    """Frames by index, in the natural order of their names."""

    place: Path  #: folder or video file
    keys: Sequence[str]  #: names without suffix; for a video file the numbers from 000000 on
    files: Sequence[Path]  #: picture files, or the video file
    ignored: Sequence[Ignored] = ()
    video: VideoInfo | None = None  #: properties of the video file; None for a folder

    def read(self, index: int) -> NDArray[np.uint8]:
        """Read a frame as (H, W, 3) RGB. Raises `DataError` if it cannot be read."""
        if self.video:
            return read_video_frame(self.place, index)
        return read_frame(self.files[index])

    def files_of(self, indices: Iterable[int]) -> list[Path]:
        """Return the files that hold these frames."""
        return [self.place] if self.video else [self.files[index] for index in indices]

    def name(self, index: int) -> str:
        """Return the name of a frame in error messages."""
        return f"{self.place}: frame {index}" if self.video else str(self.files[index])

    def key_of(self, name: str) -> str:
        """Return the key of the frame for a label map of this name.

        For a video file, a number may have any leading zeros.
        """
        return f"{int(name):06}" if self.video and name.isdecimal() else name

    def turned(self, indices: Iterable[int]) -> list[str]:
        """Return the names of the frames that EXIF or the video's metadata rotates."""
        if self.video:
            return [self.keys[index] for index in indices] if self.video.turned else []
        return [self.files[index].name for index in indices if frame_size(self.files[index])[1]]


def open_frames(place: Path, *, deep: bool = False) -> Frames:
    """List the pictures of a folder, or check a video file.

    With `deep`, also lists the pictures of subfolders. Raises `DataError` if there are no pictures,
    or if two have the same name; for a video file see `probe`.
    """
    if is_video(place) and not place.is_dir():
        info = probe(place)
        return Frames(place, [f"{index:06}" for index in range(info.frames)], [place], (), info)
    if place.is_file():
        raise DataError(
            f"{place}: neither a folder nor a video ({', '.join(VIDEO_FILES)}); give a folder of"
            " frames or a video"
        )
    found = list_by_key(place, SUFFIXES, "frame") if deep else list_frames(place)
    return Frames(place, list(found.by_key), list(found.by_key.values()), found.ignored)


def turned_note(turned: Sequence[str]) -> str:
    """Return the note on rotated frames."""
    return (
        f"{len(turned)} frames are rotated by their EXIF orientation or the video's metadata,"
        f" such as {turned[0]}"
    )
