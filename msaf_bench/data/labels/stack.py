"""Label maps of a run in one grey PNG of class ids, one map below the other."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.data.png import DAMAGE, decode_png
from msaf_bench.errors import DataError
from msaf_bench.files import write_atomic
from msaf_bench.inputs import regular


def write_stack(path: Path, maps: Sequence[NDArray[np.uint8]]) -> None:
    """Write maps of one size (H, W) as one PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(maps)).save(buffer, "PNG", optimize=True)
    write_atomic(path, buffer.getvalue())


def read_stack(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """Read the maps of a PNG written by `write_stack`.

    Raises `DataError` if the file is damaged or holds another number of maps.
    """
    try:
        data = regular(path).read_bytes()
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()  # the checksum of every chunk, which decoding skips
    except DAMAGE as error:
        raise DataError(f"{path}: damaged ({type(error).__name__})") from error
    maps = decode_png(data, path, ("L",))
    if len(maps) % count:
        raise DataError(f"{path}: {len(maps)} rows are not {count} maps of one size")
    return np.split(maps, count)
