"""Contents of a split, counted by reading every clip. Shapes: H W image, K classes."""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clips
from msaf_bench.spec import VOID

WORKERS = 8  #: threads that read clips, at most


class Contents(NamedTuple):
    """Counts over the clips of a split."""

    clips: int
    repeated: int
    skipped: int
    pairs: int
    fingerprint: str
    frames: dict[str, int]  #: size HxW as clips give it -> clips
    labels: dict[str, int]  #: size HxW of label maps -> clips
    pixels: NDArray[np.int64]  #: (256,): pixels of each id
    pictures: dict[str, int]  #: name of a clip -> checksum of its newest frame


def read_contents(clips: Clips, on_clip: Callable[[], None] = lambda: None) -> Contents:
    """Read every clip, which checks every file that the split uses.

    `on_clip` is called after each clip. Raises `DataError` for the first faulty file.
    """

    def counts(index: int) -> tuple[str, str, str, int, NDArray[np.int64]]:
        clip = clips[index]
        newest = clip.frames[-1]
        size, label_size = _size(newest), _size(clip.label)
        pixels = np.bincount(clip.label.ravel(), minlength=VOID + 1)
        return clip.name, size, label_size, crc32(newest.tobytes()), pixels

    frames, labels = Counter[str](), Counter[str]()
    pictures: dict[str, int] = {}
    pixels = np.zeros(VOID + 1, np.int64)
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        for name, size, label_size, checksum, counted in pool.map(counts, range(len(clips))):
            frames[size] += 1
            labels[label_size] += 1
            pictures[name] = checksum
            pixels += counted
            on_clip()
    return Contents(
        clips=len(clips),
        repeated=clips.repeated,
        skipped=clips.skipped,
        pairs=len(clips.pairs),
        fingerprint=clips.fingerprint,
        frames=dict(frames),
        labels=dict(labels),
        pixels=pixels,
        pictures=pictures,
    )


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
