"""Contents of a split, counted by reading every clip. Shapes: H W image, K classes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.clips import Clips
from msaf_bench.data.prefetch import ahead
from msaf_bench.host import usable_cores
from msaf_bench.spec import VOID

WORKERS = 8  #: upper limit for the threads that read clips


class Contents(NamedTuple):
    """Counts over the clips of a split."""

    clips: int
    repeated: int
    skipped: int
    pairs: int
    fingerprint: str
    frames: dict[str, int]  #: size HxW of the clips' frames -> number of clips
    labels: dict[str, int]  #: size HxW of label maps -> number of clips
    pixels: NDArray[np.int64]  #: (256,): pixels per id
    pictures: dict[str, int]  #: clip name -> checksum of the newest frame

    @property
    def ids(self) -> list[int]:
        """Ids that occur in the label maps."""
        return [int(i) for i in self.pixels.nonzero()[0]]

    def percent(self, classes: Sequence[str]) -> dict[str, float]:
        """Return the percentage of pixels per class and of void, to two decimals."""
        share = self.pixels / self.pixels.sum()
        named = {name: round(100 * float(share[i]), 2) for i, name in enumerate(classes)}
        return named | {"void": round(100 * float(share[VOID]), 2)}

    def document(self, classes: Sequence[str]) -> dict[str, object]:
        """Return the contents for JSON; `classes` names the ids 0 to K-1."""
        return {
            "clips": self.clips,
            "repeated_history_frames": self.repeated,
            "skipped_clips": self.skipped,
            "pairs": self.pairs,
            "fingerprint": self.fingerprint,
            "frame_sizes": self.frames,
            "label_sizes": self.labels,
            "ids": self.ids,
            "percent": self.percent(classes),
        }


class Overlap(NamedTuple):
    """Number of clips shared by two splits."""

    names: int  #: clip names in both splits
    pictures: int  #: newest frames of equal content in both splits


def overlap_of(train: Contents, score: Contents) -> Overlap:
    """Count the clip names and newest frames that are in both splits."""
    names, same = train.pictures.keys() & score.pictures.keys(), set(train.pictures.values())
    return Overlap(len(names), len(same & set(score.pictures.values())))


def read_contents(clips: Clips, on_clip: Callable[[], None] = lambda: None) -> Contents:
    """Read every clip and count its contents; this checks every file of the split.

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
    with ahead(counts, range(len(clips)), min(WORKERS, usable_cores())) as found:
        for name, size, label_size, checksum, counted in found:
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
