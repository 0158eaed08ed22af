"""Frames of a video in a folder."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.data.folders import list_by_key
from msaf_bench.data.png import DAMAGE
from msaf_bench.errors import DataError
from msaf_bench.inputs import regular

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def list_frames(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order. Raises `DataError` where there is none, and for two of one name."""
    return list(list_by_key(folder, SUFFIXES, "frame", deep=False).values())


def read_frame(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) RGB. Raises `DataError` for a file that is none, is cut, or has 16-bit grey or too many pixels."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning), Image.open(regular(path)) as image:
            mode, pixels = image.mode, np.array(image.convert("RGB"))
    except (*DAMAGE, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: not a whole picture ({error}); restore the file") from error
    if mode.startswith(("I", "F")):  # Pillow cuts such values at 255
        raise DataError(f"{path}: a picture of mode {mode}; frames have 8 bits a channel")
    return pixels


def resized(picture: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture at `size` (H, W): averaged where it shrinks, bilinear where it grows."""
    if picture.shape[:2] == tuple(size):
        return picture
    how = cv2.INTER_AREA if size[0] <= picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)
