"""Frames and label maps of a data set on disk, decoded. Shapes: H W image."""

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


def check_sizes(label: File, ids: Array, picture: Array) -> None:
    """Raise `DataError` for a label map of another size than its frame."""
    if picture.shape[:2] != ids.shape:
        (h, w), (label_h, label_w) = picture.shape[:2], ids.shape
        raise DataError(
            f"{label}: a label of {label_h}x{label_w} for an image of {h}x{w}; copy the data"
            " set again"
        )


def read_picture(file: File, shape: tuple[int, ...] = ()) -> Array:
    """Read a frame. Raises `DataError` if a shape is given and the frame has another one."""
    return decoded(file, b"" if file.at is not None else file.read(), shape)


def decoded(file: File, data: bytes, shape: tuple[int, ...] = ()) -> Array:
    """Decode a frame; of a video file the data are not needed."""
    if file.at is not None:
        picture = read_video_frame(file.path, file.at)
    elif file.key.endswith(".png"):
        picture = decode_png(data, file, ("RGB",))
    else:
        picture = decode_frame(data, file)
    if shape and picture.shape != shape:
        raise DataError(
            f"{file}: a frame of {picture.shape[0]}x{picture.shape[1]} among frames of"
            f" {shape[0]}x{shape[1]}; copy it again"
        )
    return picture


def nearest(label: Array, size: Size) -> Array:
    """Return a label map at `size`, the nearest pixel of each."""
    if label.shape == size:
        return label
    return np.asarray(
        cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
