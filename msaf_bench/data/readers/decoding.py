"""Decoding of frames and label maps of a data set on disk. Shapes: H W image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.frames.files import decode_frame
from msaf_bench.data.frames.video import read_video_frame
from msaf_bench.data.png import decode_png
from msaf_bench.data.readers.files import File
from msaf_bench.errors import DataError

Array = NDArray[np.uint8]
Size = tuple[int, int]


def check_label(label: File, size: Size, picture: Size) -> None:
    """Raise `DataError` if a label map and its frame differ in size."""
    if size != picture:
        (h, w), (label_h, label_w) = picture, size
        raise DataError(
            f"{label}: a label of {label_h}x{label_w} for an image of {h}x{w}; copy the data"
            " set again"
        )


def check_frame(file: File, size: Size, others: Size) -> None:
    """Raise `DataError` if a frame differs in size from the frames before it."""
    if size != others:
        raise DataError(
            f"{file}: a frame of {size[0]}x{size[1]} among frames of {others[0]}x{others[1]};"
            " copy it again"
        )


def read_picture(file: File) -> Array:
    """Read a frame."""
    return decoded(file, b"" if file.at is not None else file.read())


def decoded(file: File, data: bytes) -> Array:
    """Decode a frame; `data` is not used for a frame of a video file."""
    if file.at is not None:
        return read_video_frame(file.path, file.at)
    if file.key.endswith(".png"):
        return decode_png(data, file, ("RGB",))
    return decode_frame(data, file)


def nearest(label: Array, size: Size) -> Array:
    """Return a label map at `size`, resized by nearest neighbour."""
    if label.shape == size:
        return label
    return np.asarray(
        cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
