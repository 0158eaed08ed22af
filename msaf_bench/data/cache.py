"""Frames and label maps as networks see them, decoded and resized once and kept in a folder.

A folder serves any number of processes. An entry is named by a hash of all that it depends on,
carries a checksum and appears as a whole; a damaged one is made again. The folder keeps to a bound:
what comes when it is full is made anew each time. Nothing is thrown out for it, since an epoch
reads every clip once: the entries that are there are as good as any others.
"""

import fcntl
import hashlib
import shutil
import struct
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray

from msaf_bench.errors import HostError
from msaf_bench.files import remove_parts, write_atomic

SPARED = 2**32  #: bytes of the disk that are left free

# What decodes and resizes: another version may give other pixels.
_MADE_BY = f"OpenCV {cv2.__version__} Pillow {PIL.__version__}"
_HEAD = struct.Struct("<8sI")  # magic, CRC-32 of the rest
_SIZES = struct.Struct("<5I")  # H W C of the pixels, H W in the file
_MAGIC = b"msafpix1"
_TOTAL = "total"  # file with the bytes of all entries; locked by who writes


class Cache(NamedTuple):
    """The folder of a cache and its bound in bytes."""

    folder: Path
    bound: int


class Kept(NamedTuple):
    """A frame or a label map."""

    pixels: NDArray[np.uint8]  #: (H, W, 3) or (H, W)
    size: tuple[int, int]  #: H, W in its file


class Keep(Protocol):
    """Return what is kept under a key, or else what `make` returns."""

    def __call__(self, key: str, make: Callable[[], Kept], /) -> Kept: ...


def keep_nothing(key: str, make: Callable[[], Kept]) -> Kept:
    """Return what `make` returns."""
    return make()


def keep_in(cache: Cache) -> Keep:
    """Return what keeps entries in the folder of a cache.

    A key states all that an entry depends on: path, size and time of change of its file, or its
    checksum in an archive; the size that it is brought to; the meaning of the ids of a label map.
    No more is kept once less than `SPARED` bytes of the disk are free or the folder cannot be
    written. Raises `HostError` if it cannot be made.
    """
    folder = cache.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _total(folder) as total:
            remove_parts(folder)
            _set(total, sum(path.stat().st_size for path in folder.glob("*.pixels")))
    except OSError as error:
        raise HostError(
            f"cannot write {folder}: {error.strerror}; choose another folder with --cache-folder,"
            " or add --cache 0"
        ) from error

    return partial(_keep, cache)


def _keep(cache: Cache, key: str, make: Callable[[], Kept]) -> Kept:
    digest = hashlib.sha256(f"{_MADE_BY} {key}".encode()).hexdigest()
    path = cache.folder / f"{digest[:32]}.pixels"
    kept = _read(path)
    if kept is None:
        kept = make()
        with suppress(OSError, HostError):  # a cache that is full or gone ends nothing
            _write(path, kept, cache.bound)
    return kept


def _read(path: Path) -> Kept | None:
    """Return an entry, None where it is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    begin = _HEAD.size + _SIZES.size
    if len(content) < begin:
        return None
    checksum = zlib.crc32(memoryview(content)[_HEAD.size :])
    if _HEAD.unpack_from(content) != (_MAGIC, checksum):
        return None
    height, width, channels, *size = _SIZES.unpack_from(content, _HEAD.size)
    shape = (height, width, channels) if channels else (height, width)
    pixels = np.frombuffer(content, np.uint8, offset=begin).reshape(shape)
    return Kept(pixels, (size[0], size[1]))


def _write(path: Path, kept: Kept, bound: int) -> None:
    """Write an entry if the folder and the disk have room for it."""
    height, width, *channels = kept.pixels.shape
    rest = _SIZES.pack(height, width, *(channels or [0]), *kept.size) + kept.pixels.tobytes()
    content = _HEAD.pack(_MAGIC, zlib.crc32(rest)) + rest
    with _total(path.parent) as total:
        before = path.stat().st_size if path.exists() else 0  # damaged, or another process's
        then = int(total.read() or 0) - before + len(content)
        free = shutil.disk_usage(path.parent).free
        if then <= bound and free - len(content) >= SPARED:
            _set(total, then)
            write_atomic(path, content, durable=False)


@contextmanager
def _total(folder: Path) -> Generator[IO[str]]:
    """Open the file that has the sum of all entries, for one writer at a time."""
    with (folder / _TOTAL).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _set(total: IO[str], size: int) -> None:
    total.seek(0)
    total.truncate()
    total.write(str(size))
    total.flush()
