"""Disk cache of decoded and resized frames and label maps.

Any number of processes may share a folder. The name of an entry is a hash of everything it depends
on. Entries carry a checksum and are written atomically; a damaged entry is made again. The folder
stays within a size limit: once it is full, further frames are decoded on every read. Nothing is
evicted, because an epoch reads every clip once and all entries are equally useful.
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

SPARED = 2**32  #: bytes of free disk space that the cache never uses

# Versions of the decoders: another version may give other pixels.
_MADE_BY = f"OpenCV {cv2.__version__} Pillow {PIL.__version__}"
_HEAD = struct.Struct("<8sI")  # magic, CRC-32 of the rest
_SIZES = struct.Struct("<5I")  # H W C of the pixels, H W in the file
_MAGIC = b"msafpix1"
_TOTAL = "total"  # file with the size of all entries in bytes; the writer locks it


class Cache(NamedTuple):
    """Folder of a cache and its size limit in bytes."""

    folder: Path
    bound: int


class Kept(NamedTuple):
    """Decoded frame or label map."""

    pixels: NDArray[np.uint8]  #: (H, W, 3) or (H, W)
    size: tuple[int, int]  #: H, W of the image file


class Keep(Protocol):
    """Callable that returns the entry stored under a key, or the result of `make`."""

    def __call__(self, key: str, make: Callable[[], Kept], /) -> Kept: ...


def keep_nothing(key: str, make: Callable[[], Kept]) -> Kept:
    """Call `make` without storing the result."""
    return make()


def keep_in(cache: Cache) -> Keep:
    """Return a `Keep` that stores entries in the folder of a cache.

    A key must contain everything an entry depends on: the path, size and modification time of its
    file, or its checksum in an archive; the target size; and the meaning of the ids of a label map.
    Nothing more is stored when less than `SPARED` bytes of the disk are free or the folder is not
    writable. Raises `HostError` if the folder cannot be created.
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
        with suppress(OSError, HostError):  # a full or deleted cache must not stop a run
            _write(path, kept, cache.bound)
    return kept


def _read(path: Path) -> Kept | None:
    """Return an entry, or None if it is missing or damaged."""
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
    """Open and lock the file with the total size of all entries; one writer at a time."""
    with (folder / _TOTAL).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _set(total: IO[str], size: int) -> None:
    total.seek(0)
    total.truncate()
    total.write(str(size))
    total.flush()
