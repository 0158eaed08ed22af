"""Recording of video files, frame by frame; a file gets its name once it is complete."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.timeline import silence
from msaf_bench.data.frames.video import probe
from msaf_bench.errors import DataError, HostError
from msaf_bench.files import replacing

#: Codecs by suffix, best first. OpenCV from PyPI cannot write H.264 (avc1).
CODECS = {
    ".mp4": ("avc1", "mp4v"),
    ".m4v": ("avc1", "mp4v"),
    ".mov": ("avc1", "mp4v"),
    ".mkv": ("avc1", "mp4v"),
    ".webm": ("VP80",),
    ".avi": ("MJPG",),
}
_NAMES = {"avc1": "H.264", "mp4v": "MPEG-4 Part 2", "VP80": "VP8", "MJPG": "Motion JPEG"}
_IN_BROWSERS = ("avc1", "VP80")


class Recording:
    """Video file being written."""

    def __init__(self, path: Path, rate: float) -> None:
        self.rate, self.frames = rate, 0
        self._path = path
        self._codec = ""
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Add a frame (H, W, 3) RGB.

        The last row or column is repeated if the height or width is odd, because codecs need even
        sizes. Raises `HostError` if no codec can be used.
        """
        height, width = picture.shape[:2]
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._writer is None:
            self._codec, self._writer = _started(self._path, self.rate, even.shape[:2])
        self._writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def about(self) -> str:
        """Return the codec and the rate in words, and whether browsers play the file."""
        played = "" if self._codec in _IN_BROWSERS else "; browsers do not play it, they play .webm"
        return f"{_NAMES[self._codec]}, {self.rate:.6g} frames per second{played}"

    def close(self) -> None:
        """Finish the file."""
        if self._writer:
            self._writer.release()


@contextmanager
def recording(path: Path, rate: float) -> Generator[Recording]:
    """Yield a video file to add frames to.

    At the end of the block it is read back and then replaces `path`; after an error nothing is left
    of it. Raises `HostError` if frames are missing.
    """
    with replacing(path, path.suffix.lower()) as temporary:
        video = Recording(temporary, rate)
        try:
            yield video
        finally:
            video.close()
        _check(path, temporary, video.frames)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())


def _started(path: Path, rate: float, size: tuple[int, ...]) -> tuple[str, cv2.VideoWriter]:
    silence()
    for codec in CODECS[path.suffix]:
        code = cv2.VideoWriter.fourcc(*codec)
        with _no_stderr():
            writer = cv2.VideoWriter(str(path.absolute()), cv2.CAP_FFMPEG, code, rate, size[::-1])
        if writer.isOpened():
            return codec, writer
    raise HostError(
        f"cannot write a video of {size[0]}x{size[1]} at {rate:.6g} frames per second as"
        f" {path.suffix}: OpenCV has no codec for it; choose one of: {', '.join(CODECS)}"
    )


@contextmanager
def _no_stderr() -> Generator[None]:
    """Suppress OpenCV's output on descriptor 2, whatever its log level.

    It reports that WebM has no four-letter codes.
    """
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check(path: Path, written: Path, frames: int) -> None:
    """Raise `HostError` if a video lacks frames; OpenCV does not report a full disk."""
    try:
        found = probe(written).frames
    except DataError:
        found = 0
    if found != frames:
        raise HostError(
            f"cannot write {path}: {found} of {frames} frames reached the disk; make room on it or"
            " choose another folder"
        )
