"""Random access to the frames of a video file, equal to decoding from the start.

A frame is identified by its timestamp, not by OpenCV's frame number after a seek. If a seek leads
to a wrong frame, the file is read from its start.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.timeline import Timeline, VideoInfo, opened, remedy, timeline_of
from msaf_bench.errors import DataError
from msaf_bench.spec.data_sets import VIDEO_FILES

_IDLE = 8  #: number of idle readers kept open
_KEPT = 4  #: number of frames kept per reader, for overlapping clips
_REWIND = 16  #: least number of frames that OpenCV's seek goes back


def is_video(path: Path) -> bool:
    """Return whether a path has the suffix of a video file."""
    return path.suffix.lower() in VIDEO_FILES


def probe(path: Path) -> VideoInfo:
    """Check a video file and return its properties.

    The result is cached while the file is unchanged. Reads every packet and decodes the first and
    the last frame: 0.1 to 0.5 s per minute of 720p. Raises `DataError` if the file is not a video,
    is truncated, has no frame, or has a variable frame rate.
    """
    return timeline_of(path).info


def frames_of(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames of a video in order, (H, W, 3) RGB.

    Raises the errors of `probe`, and `DataError` if a frame cannot be decoded.
    """
    timeline = timeline_of(path)
    with closing(_Reader(path, timeline)) as reader:
        for index in range(timeline.info.frames):
            yield reader.read(index)


def read_video_frame(path: Path, index: int) -> NDArray[np.uint8]:
    """Read frame `index` of a video as (H, W, 3) RGB, equal to the frame of `frames_of`.

    Thread-safe. A frame shortly after the previous one is read without a seek. Raises the errors of
    `frames_of`, and `IndexError` if the video does not have this frame.
    """
    timeline = timeline_of(path)
    if not 0 <= index < timeline.info.frames:
        raise IndexError(f"{path}: frame {index} of {timeline.info.frames}")
    reader = _IDLE_READERS.take(path, timeline, index)
    try:
        frame = reader.read(index)
    except BaseException:
        reader.close()
        raise
    _IDLE_READERS.put(reader)
    return frame


class _Reader:
    """Open video, to be used by one thread at a time."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self.path, self.timeline = path, timeline
        self.next = 0  #: index of the next frame to decode
        self.kept: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=_KEPT)  # BGR
        self._capture = opened(path)

    def close(self) -> None:
        self._capture.release()

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return a frame as RGB."""
        for number, picture in self.kept:
            if number == index:
                return _rgb(picture)
        if self._seek_pays(index):
            self._seek(index)
        while self.next <= index:
            self._decode()
        done, picture = self._capture.retrieve()
        if not done or picture.shape[:2] != self.timeline.info.size:
            raise self._fault(index)
        picture = np.asarray(picture, np.uint8)
        self.kept.append((index, picture))
        return _rgb(picture)

    def _seek_pays(self, index: int) -> bool:
        """Return whether seeking is faster than decoding up to a frame.

        It is if the frame lies behind, or so far ahead that decoding would pass a key frame to
        start from.
        """
        if index < self.next:
            return True
        keys = self.timeline.keys
        start = keys[keys <= max(0, index - _REWIND)]
        return bool(start.size) and int(start[-1]) > self.next

    def _seek(self, index: int) -> None:
        """Go to a frame at or before `index`, or to the start if the seek is unreliable."""
        times = self.timeline.times
        if times.size and index:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            if self._capture.grab():
                found = int(np.abs(times - self._capture.get(cv2.CAP_PROP_POS_MSEC)).argmin())
                if found <= index and self._is_at(found):
                    self.next = found + 1
                    return
        self._capture.release()
        self._capture, self.next = opened(self.path), 0

    def _decode(self) -> None:
        if not self._capture.grab() or not self._is_at(self.next):
            raise self._fault(self.next)
        self.next += 1

    def _is_at(self, index: int) -> bool:
        """Return whether the last decoded frame has the timestamp of this frame."""
        times = self.timeline.times
        half = 500 / self.timeline.info.rate
        at = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return not times.size or abs(float(times[index]) - at) < half

    def _fault(self, index: int) -> DataError:
        return DataError(
            f"{self.path}: frame {index} of {self.timeline.info.frames} cannot be decoded; copy the"
            f" file again, or {remedy(self.path)}"
        )


class _Readers:
    """Pool of idle readers; each is used by one thread at a time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start with an empty pool, as after a fork: parent and child share file positions."""
        self._lock, self._idle = Lock(), list[_Reader]()

    def take(self, path: Path, timeline: Timeline, index: int) -> _Reader:
        """Return the reader of a file that is nearest before a frame, or a new one."""
        with self._lock:
            fitting = [
                each
                for each in self._idle
                if each.path == path and each.timeline is timeline and each.next <= index + _KEPT
            ]
            if fitting:
                nearest = max(fitting, key=lambda each: each.next)
                self._idle.remove(nearest)
                return nearest
        return _Reader(path, timeline)

    def put(self, reader: _Reader) -> None:
        """Return a reader to the pool; if the pool is full, close the least recently used one."""
        with self._lock:
            self._idle.append(reader)
            oldest = self._idle.pop(0) if len(self._idle) > _IDLE else None
        if oldest:
            oldest.close()


_IDLE_READERS = _Readers()
os.register_at_fork(after_in_child=_IDLE_READERS.forget)


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
