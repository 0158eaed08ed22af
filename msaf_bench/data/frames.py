"""Frames of a video in a folder."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def list_frames(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names. Raises `DataError` where there is none."""
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: no frame there (.png, .jpg, .bmp or .webp)")
    return paths


def read_frame(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) RGB. Raises `DataError` for a file that is none or is cut."""
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a whole picture ({error}); restore the file") from error


def resized(picture: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture at `size` (H, W): averaged where it shrinks, bilinear where it grows."""
    if picture.shape[:2] == tuple(size):
        return picture
    how = cv2.INTER_AREA if size[0] <= picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)
