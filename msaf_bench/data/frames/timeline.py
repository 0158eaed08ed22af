"""Checks of a video file, and the display times of its frames."""

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

_KNOWN = 4096  #: number of timelines kept in memory, 14 KB per minute of video
#: Largest error in ticks from rounding a timestamp to the container's clock, with a tolerance for
#: floating-point numbers.
_ROUNDING = 1.001

# Silence FFmpeg. Its log level is read once, when the first file is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoInfo(NamedTuple):
    """Properties of a video file."""

    frames: int
    size: tuple[int, int]  #: H, W of the frames as read
    rate: float  #: frames per second
    turned: bool  #: whether the file's metadata rotates the frames


class Timeline(NamedTuple):
    """Display time of each frame of a video."""

    info: VideoInfo
    times: NDArray[np.float64]  #: display time per frame in ms; empty if the file has none
    keys: NDArray[np.intp]  #: key frames: decoding can start from them


class _Packets(NamedTuple):
    times: NDArray[np.float64]  # in ms, ascending
    keys: NDArray[np.intp]
    stated: int
    rate: float
    tick: float  # tick of the container's clock, in ms


def timeline_of(path: Path) -> Timeline:
    """Check a video file and return its timeline; cached while the file is unchanged.

    Raises `DataError` if the file is not a video, is truncated, has no frame, or has a variable
    frame rate.
    """
    try:
        status = regular(path).stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return _timeline(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(_KNOWN)
def _timeline(path: Path, _bytes: int, _changed: int) -> Timeline:
    """Return the display times of the frames, read from the packets.

    If the packets do not match the frames, for example because of hidden or reordered frames, all
    frames are decoded.
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
    if rate is None and is_avi(path):  # reordered frames of an AVI have no timestamps
        times, rate, frames = np.empty(0), packets.rate, len(times)
    elif rate is None:
        raise _uneven(path, times)
    else:
        frames = len(times)
    return Timeline(VideoInfo(frames, size, rate, turned), times, packets.keys)


def _missing(path: Path, times: NDArray[np.float64], packets: _Packets) -> bool:
    """Return whether the frames end before the file does.

    An AVI states the number of frames, an MP4 their display time. In every file, the last packet
    limits the end; packets end early if the file is damaged.
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
    """Stop OpenCV from logging files that it cannot open; this module reports them."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def opened(path: Path, *, packets: bool = False) -> cv2.VideoCapture:
    """Open a video for its frames, or with `packets` for its packets, which are not decoded."""
    silence()
    options = [cv2.CAP_PROP_N_THREADS, 1, *([cv2.CAP_PROP_FORMAT, -1] if packets else [])]
    # an absolute path: FFmpeg takes text before a colon for a protocol
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
        # OpenCV returns the tick of the stream's clock under this name
        1000 * capture.get(cv2.CAP_PROP_POS_AVI_RATIO),
    )


def _first_frame(path: Path) -> tuple[tuple[int, int], bool]:
    """Return the size (H, W) of the first frame, and whether it is rotated."""
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
    """Return the frame rate of evenly spaced times, None if they are uneven.

    Times may be rounded to the container's clock. The stated rate is used if it fits, otherwise the
    rate of the times.
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
    """Return whether the first and last decoded frames have the first and last of these times."""
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
    """Return the command that converts a video's decodable frames to a constant frame rate."""
    return f"convert it: ffmpeg -i {path.name} -an -fps_mode cfr {rate}{path.stem}-cfr.mp4"
