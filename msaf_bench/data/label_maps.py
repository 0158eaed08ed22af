"""Label maps on disk: PNG files of class ids."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.inputs import regular
from msaf_bench.kept import write_atomic


def write_label_maps(path: Path, maps: Sequence[NDArray[np.uint8]]) -> None:
    """Writes maps of one size (H, W) as one grey PNG, one below the other."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(maps)).save(buffer, "PNG", optimize=True)
    write_atomic(path, buffer.getvalue())


def read_label_maps(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """Reads what `write_label_maps` wrote."""
    with Image.open(regular(path)) as image:
        return np.split(np.asarray(image), count)
