"""Files of a data set: plain files in a folder, or members of a zip in its place.

Each read opens the file anew, so that threads and forked or spawned workers share no position.
"""

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from msaf_bench.data.readers.zips import Member, list_archive, read_member
from msaf_bench.errors import DataError
from msaf_bench.folders import LEFT, Ignored, is_litter, list_folder, list_names, summed
from msaf_bench.inputs import regular
from msaf_bench.spec import content_hash

SAMPLE = 32  #: number of files whose content enters a fingerprint


class File(NamedTuple):
    """File of a data set, in a folder or in a zip."""

    name: str  #: path below the root
    place: str  #: path of the file or its archive; text, to save memory for 500,000 files
    member: Member | None = None  #: set if the file is in an archive
    at: int | None = None  #: set for one frame of a video file

    def __str__(self) -> str:
        at = "" if self.at is None else f", frame {self.at}"
        return f"{self.place}: {self.name}" if self.member else f"{self.place}{at}"

    @property
    def path(self) -> Path:
        """Path of the file or its archive."""
        return Path(self.place)

    @property
    def key(self) -> str:
        """Name with its suffix in lower case, plus the frame number for a frame of a video file."""
        stem, dot, suffix = self.name.rpartition(".")
        at = "" if self.at is None else f"#{self.at}"
        return stem + dot + suffix.lower() + at

    @property
    def size(self) -> int:
        """Size of the content in bytes. Raises `DataError` for a broken link."""
        try:
            return self.member.size if self.member else self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def read(self) -> bytes:
        """Return the content.

        Raises `DataError` if it cannot be read or, in an archive, differs from the directory's size
        or checksum.
        """
        try:
            if self.member:
                return read_member(self.path, self.name, self.member)
            return regular(self.path).read_bytes()
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def stamp(self) -> str:
        """Return a text that identifies the content without reading it.

        It contains path, size and modification time, and the frame number for a frame of a video;
        for a member of an archive it contains name, size and checksum. Raises `DataError` for a
        broken link.
        """
        if self.member:
            return f"{self.name} {self.size} {self.member.crc:08x}"
        size, at = self.size, "" if self.at is None else f"#{self.at}"
        return f"{self.path.absolute()}{at} {size} {self.path.stat().st_mtime_ns}"

    def crc(self) -> int:
        """Return the CRC-32 of the content, from the directory for a member of an archive.

        For a frame of a video file, it is the CRC-32 of the video.
        """
        if self.at is not None:
            return _crc_of(self._replace(at=None), self.path.stat().st_mtime_ns)
        return self.member.crc if self.member else zlib.crc32(self.read())


@lru_cache(maxsize=1024)
def _crc_of(video: File, changed: int) -> int:
    """Return the CRC-32 of a video file, read in chunks."""
    found = 0
    with video.path.open("rb") as file:
        while piece := file.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


def is_there(root: Path, folder: str, archive: str) -> bool:
    """Return whether `root` contains the folder, or the zip in its place."""
    return (root / folder).is_dir() or _archive(root, archive).is_file()


def list_files(
    root: Path, folder: str, archive: str, below: str = "", suffix: str = ".png"
) -> dict[str, File]:
    """Return the files of a folder of a data set by their names in that folder, sorted by name.

    Hidden files and litter are passed over, as in `list_folder`.

    Args:
        root: the data set's folder.
        folder: the folder below `root`; empty for `root` itself.
        archive: the zip in `root` that is read if the folder does not exist; it may hold the files
            in FOLDER or at its top.
        below: a subfolder to which the listing is limited.
        suffix: the end of the names, in any case; the returned names have it in lower case.

    Raises:
        DataError: if both folder and zip are missing, if the zip is damaged or contains a dangerous
            name (`list_archive`), or if two names differ only in the case of the suffix.
    """
    start = f"{below}/" if below else ""
    if (root / folder).is_dir():
        files = _in_folder(root, folder, start, suffix)
    else:
        files = _in_archive(root, folder, archive, start, suffix)
    return _by_key(files, _below(folder))


def _in_folder(root: Path, folder: str, start: str, suffix: str) -> list[File]:
    place = root / folder / start
    if not place.is_dir():
        return []
    start, own = f"{_below(folder)}{start}", f"{place}{os.sep}"
    return [File(f"{start}{name}", f"{own}{name}") for name in list_names(place, (suffix,))]


def _below(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _in_archive(root: Path, folder: str, archive: str, start: str, suffix: str) -> list[File]:
    path = _archive(root, archive)
    if not path.is_file():
        raise DataError(
            f"{root / folder}: no such folder, and no {archive} in {root}; copy the data set there"
        )
    members = list_archive(path)
    inside = {
        name.removeprefix(f"{folder}/"): member
        for name, member in members.items()
        if name.startswith(f"{folder}/{start}") and _is_wanted(name, suffix)
    }
    wanted = inside or {
        name: member
        for name, member in members.items()
        if "/" not in name and _is_wanted(name, suffix)
    }
    return [File(f"{folder}/{name}", str(path), wanted[name]) for name in sorted(wanted)]


def _is_wanted(name: str, suffix: str) -> bool:
    return name.lower().endswith(suffix) and not is_litter(name)


def _by_key(files: Sequence[File], start: str) -> dict[str, File]:
    by_key: dict[str, File] = {}
    for file in files:
        key = file.key.removeprefix(start)
        if key in by_key:
            raise DataError(
                f"{file} and {by_key[key]} differ only in the case of their suffix; remove one"
            )
        by_key[key] = file
    return by_key


def _archive(root: Path, archive: str) -> Path:
    """Return the path of a zip, with its suffix in any case."""
    path = root / archive
    spellings = (path, path.with_suffix(".ZIP"), path.with_suffix(".Zip"))
    return next((spelling for spelling in spellings if spelling.is_file()), path)


def ignored_below(root: Path) -> tuple[Ignored, ...]:
    """Return the ignored files of a data set's folder and its zips.

    These are hidden files, litter, and circular links.
    """
    names, ignored = list_folder(root)
    zips = [root / name for name in names if "/" not in name and name.lower().endswith(".zip")]
    for path in zips:
        with suppress(DataError):  # opening the split reports a damaged zip that it needs
            ignored += summed(
                path, ((name, LEFT) for name in list_archive(path) if is_litter(name))
            )
    return ignored


def fingerprint(files: Sequence[File]) -> str:
    """Return a hash of the names and sizes of all files and of some checksums.

    The checksums are those of up to 32 evenly spread files. A folder and its zip have the same
    fingerprint. A change that keeps every size is noticed only in those 32 files: reading all files
    would take as long as decoding.
    """
    last = len(files) - 1
    sampled = {round(i * last / (SAMPLE - 1)) for i in range(SAMPLE)}
    lines = [
        f"{file.key} {file.size} {file.crc():08x}" if i in sampled else f"{file.key} {file.size}"
        for i, file in enumerate(files)
    ]
    return content_hash("\n".join(lines))
