"""Decoding of PNG files; a truncated file is an error."""

import struct
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.errors import DataError

LARGEST = 1 << 26  #: limit for the pixels of an image: 32 times a Cityscapes frame

#: errors raised by Pillow for a damaged file
DAMAGE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def decode_png(data: bytes, where: object, modes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return the pixels of a PNG with one of `modes` (Pillow's names): (H, W) or (H, W, 3).

    Palette images give their indices; grey of fewer than 8 bits gives 0, 1, ... Raises `DataError`
    naming `where` if the file is truncated, has another format, mode or depth, or has more pixels
    than `LARGEST`.
    """
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if data[:4] == b"\x89PNG" and width * height > LARGEST:
        raise DataError(
            f"{where}: a PNG of {width}x{height} pixels; at most {LARGEST} pixels are read"
        )
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            mode, pixels = image.mode, np.array(image, np.uint8)
    except DAMAGE as error:
        raise DataError(
            f"{where}: not a complete PNG ({len(data)} bytes); copy it again"
        ) from error
    # Pillow converts 16-bit colour to 8-bit RGB, so the depth is read from byte 24 of the header.
    if mode not in modes or data[24] == 16:
        raise DataError(
            f"{where}: a PNG of mode {mode} with {data[24]} bits; expected 8-bit"
            f" {' or '.join(modes)}"
        )
    stretched = data[24:26] in (b"\2\0", b"\4\0")  # Pillow scales grey of 2 or 4 bits to 0..255
    return pixels // np.uint8(255 // (2 ** data[24] - 1)) if stretched else pixels
