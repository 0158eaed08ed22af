"""When the frames of a video file are shown, and what speaks against reading it."""

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.containers import check_whole, is_avi, shown_seconds
from msaf_bench.errors import DataError
from msaf_bench.inputs import regular

_KNOWN = 4096  #: files whose timeline stays in memory: 14 KB for a minute
#: Where rounding a timestamp to the tick of the container moves it, at most, in ticks; the
#: tolerance is for floating-point numbers.
_ROUNDING = 1.001

# FFmpeg's own messages: none. Its level is read once, when the first file is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoInfo(NamedTuple):
    """What a video file holds."""

    frames: int
    size: tuple[int, int]  #: H, W of the frames as they are read
    rate: float  #: frames per second
    turned: bool  #: whether frames are turned as the file's rotation says


class Timeline(NamedTuple):
    """When each frame of a video is shown."""

    info: VideoInfo
    times: NDArray[np.float64]  #: of each frame, in ms; empty where the file has none
    keys: NDArray[np.intp]  #: frames that decoding can start from


class _Packets(NamedTuple):
    times: NDArray[np.float64]  # in ms, ascending
    keys: NDArray[np.intp]
    stated: int
    rate: float
    tick: float  # of the container's clock, in ms


def timeline_of(path: Path) -> Timeline:
    """Check a video file; a second call costs nothing while the file stays as it is. Raises
    `DataError` for a file that is not a video, is cut, has no frame, or a variable frame rate.
    """
    try:
        status = regular(path).stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return _timeline(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(_KNOWN)
def _timeline(path: Path, _bytes: int, _changed: int) -> Timeline:
    """Return when each frame is shown. The packets say it; where they do not fit the frames, as
    hidden or reordered ones do, all frames are decoded.
    """
    check_whole(path)
    packets = _packets(path)
    size, turned = _first_frame(path)
    times, rate = packets.times, _even_rate(packets.times, packets)
    if rate is None or not _holds(path, times) or _missing(path, times, packets):
        times = _decoded_times(path)
        rate = _even_rate(times, packets)
        if _missing(path, times, packets):
            raise DataError(
                f"{path}: damaged: the frames after the first {len(times)} cannot be decoded; copy"
                f" the file again, or {remedy(path)}"
            )
    if rate is None and is_avi(path):  # its reordered frames have no timestamps
        times, rate, frames = np.empty(0), packets.rate, len(times)
    elif rate is None:
        raise _uneven(path, times)
    else:
        frames = len(times)
    return Timeline(VideoInfo(frames, size, rate, turned), times, packets.keys)


def _missing(path: Path, times: NDArray[np.float64], packets: _Packets) -> bool:
    """Whether frames end before the file does: an AVI states their number, an MP4 how long it shows
    them, and no file has more than its packets, which end early where one is damaged.
    """
    if is_avi(path):
        return len(times) < packets.stated
    shown, step = shown_seconds(path), 1000 / packets.rate
    end = float(packets.times.max(initial=0))
    if shown is not None:
        until = 1000 * shown - step
        end = until if len(packets.times) < packets.stated else min(end, until)
    return float(times.max(initial=0)) < end - step


def silence() -> None:
    """Keep OpenCV from writing of files that cannot be opened: that is said here."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def opened(path: Path, *, packets: bool = False) -> cv2.VideoCapture:
    """Open a video for its frames, or for its `packets`, which are not decoded."""
    silence()
    options = [cv2.CAP_PROP_N_THREADS, 1, *([cv2.CAP_PROP_FORMAT, -1] if packets else [])]
    # an absolute path: FFmpeg takes what comes before a colon for a protocol
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        raise DataError(
            f"{path}: not a video that OpenCV can read; {remedy(path)}, or give pictures"
        )
    return capture


def _packets(path: Path) -> _Packets:
    capture = opened(path, packets=True)
    times, keys = list[float](), list[bool]()
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        keys.append(bool(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME)))
    order = np.argsort(times, kind="stable")
    return _Packets(
        np.asarray(times, np.float64)[order],
        np.flatnonzero(np.asarray(keys, bool)[order]),
        int(capture.get(cv2.CAP_PROP_FRAME_COUNT)),
        max(1e-3, capture.get(cv2.CAP_PROP_FPS)),
        # OpenCV gives the tick of the stream's clock under this name
        1000 * capture.get(cv2.CAP_PROP_POS_AVI_RATIO),
    )


def _first_frame(path: Path) -> tuple[tuple[int, int], bool]:
    """Return the size (H, W) of the first frame, and whether it is turned."""
    capture = opened(path)
    done, picture = capture.read()
    if not done:
        raise DataError(f"{path}: a video without a frame; record or copy it again")
    return (picture.shape[0], picture.shape[1]), capture.get(cv2.CAP_PROP_ORIENTATION_META) != 0


def _decoded_times(path: Path) -> NDArray[np.float64]:
    capture = opened(path)
    times = list[float]()
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    return np.asarray(times, np.float64)


def _even_rate(times: NDArray[np.float64], packets: _Packets) -> float | None:
    """Return the frame rate where the times are evenly spaced, up to rounding to the container's
    clock: the stated rate where it fits, otherwise that of the times. None if they are uneven.
    """
    rates = [packets.rate]
    if len(times) > 1 and times[-1] > times[0]:
        rates.append(float(1000 * (len(times) - 1) / (times[-1] - times[0])))
    for rate in rates:
        off = times - np.arange(len(times)) * 1000 / rate
        if len(times) and np.abs(off - off[0]).max() <= _ROUNDING * packets.tick:
            return rate
    return None


def _holds(path: Path, times: NDArray[np.float64]) -> bool:
    """Whether the first and the last decoded frame have the first and the last of these times."""
    capture = opened(path)
    if not capture.grab() or capture.get(cv2.CAP_PROP_POS_MSEC) != times[0]:
        return False
    if len(times) > 1:
        capture.set(cv2.CAP_PROP_POS_FRAMES, len(times) - 1)
        if not capture.grab() or capture.get(cv2.CAP_PROP_POS_MSEC) != times[-1]:
            return False
    return not capture.grab()


def _uneven(path: Path, times: NDArray[np.float64]) -> DataError:
    steps = np.diff(times)
    usual = float(np.median(steps))
    odd = int(np.abs(steps - usual).argmax())
    rate = f"-r {round(1000 / usual)} " if 1 <= usual <= 1000 else ""
    return DataError(
        f"{path}: a variable frame rate: frame {odd + 1} comes {steps[odd]:.1f} ms after frame"
        f" {odd}, most come after {usual:.1f} ms; {remedy(path, rate)}"
    )


def remedy(path: Path, rate: str = "") -> str:
    """Return the command that makes a video of a constant frame rate from what can be decoded."""
    return f"convert it: ffmpeg -i {path.name} -an -fps_mode cfr {rate}{path.stem}-cfr.mp4"
