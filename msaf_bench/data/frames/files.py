"""Frames of a video: list a folder, read, resize."""

import io
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from msaf_bench.data.png import DAMAGE
from msaf_bench.errors import DataError
from msaf_bench.files import write_atomic
from msaf_bench.folders import Files, list_by_key
from msaf_bench.inputs import regular
from msaf_bench.spec.data_sets import PICTURE_FILES

SUFFIXES = PICTURE_FILES  #: suffixes of frames
_TURNED = range(2, 9)  # EXIF orientations that rotate or mirror an image
_ACROSS = range(5, 9)  # orientations that swap height and width


def list_frames(folder: Path) -> Files:
    """Return the pictures of a folder, without its subfolders, in natural order.

    Raises `DataError` if there are none, or if two have the same name.
    """
    return list_by_key(folder, SUFFIXES, "frame", deep=False)


def read_frame(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) RGB, rotated according to its EXIF orientation.

    Raises `DataError` if the file is not a picture, is truncated, or has 16-bit grey or too many
    pixels.
    """
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not a complete picture ({error}); restore the file") from error
    return decode_frame(data, path)


def decode_frame(data: bytes, where: object) -> NDArray[np.uint8]:
    """Decode the content of a picture file as (H, W, 3) RGB, as in `read_frame`.

    Errors name `where`.
    """
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(BytesIO(data)) as image,
        ):
            mode, pixels = image.mode, np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (*DAMAGE, Image.DecompressionBombWarning) as error:
        raise DataError(f"{where}: not a complete picture ({error}); restore the file") from error
    if mode.startswith(("I", "F")):  # Pillow clips such values at 255
        raise DataError(f"{where}: a picture of mode {mode}; frames have 8 bits per channel")
    return pixels


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) RGB as PNG. Raises `HostError` if writing fails."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())


def frame_size(path: Path) -> tuple[tuple[int, int], bool]:
    """Read the size (H, W) of a picture from its header, and whether EXIF rotates it.

    The size is that of the result of `read_frame`. Raises the same errors.
    """
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(regular(path)) as image,
        ):
            width, height = image.size
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (*DAMAGE, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: not a complete picture ({error}); restore the file") from error
    size = (width, height) if orientation in _ACROSS else (height, width)
    return size, orientation in _TURNED


def check_sizes(paths: Sequence[Path]) -> list[Path]:
    """Check that all frames of a video have one size, and return the rotated ones.

    Reads headers only. Raises `DataError` for the first frame of another size.
    """
    sizes = [frame_size(path) for path in paths]
    for path, (size, turned) in zip(paths, sizes, strict=True):
        if size != sizes[0][0]:
            (h, w), (first_h, first_w) = size, sizes[0][0]
            how = ", rotated by its EXIF orientation," if turned else ""
            raise DataError(
                f"{path}: a frame of {h}x{w}{how} after frames of {first_h}x{first_w}; bring all"
                " frames of a video to one size"
            )
    return [path for path, (_, turned) in zip(paths, sizes, strict=True) if turned]


def resized(picture: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the picture at `size` (H, W): averaged if it shrinks, bilinear if it grows."""
    if picture.shape[:2] == tuple(size):
        return picture
    how = cv2.INTER_AREA if size[0] <= picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)
