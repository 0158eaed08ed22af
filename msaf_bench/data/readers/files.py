"""The files of a data set: plain in a folder, or members of a zip in its place.

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

SAMPLE = 32  #: files of a fingerprint whose content is read


class File(NamedTuple):
    """A file of a data set, in a folder or in a zip."""

    name: str  #: below the root
    place: str  #: its own path, or the archive's; text, since there may be half a million
    member: Member | None = None  #: set if the file is in an archive
    at: int | None = None  #: set for one frame of a video file

    def __str__(self) -> str:
        at = "" if self.at is None else f", frame {self.at}"
        return f"{self.place}: {self.name}" if self.member else f"{self.place}{at}"

    @property
    def path(self) -> Path:
        """Its own path, or the archive's."""
        return Path(self.place)

    @property
    def key(self) -> str:
        """The name with its suffix in lower case; of a frame of a video file with its number."""
        stem, dot, suffix = self.name.rpartition(".")
        at = "" if self.at is None else f"#{self.at}"
        return stem + dot + suffix.lower() + at

    @property
    def size(self) -> int:
        """Bytes of the content. Raises `DataError` for a broken link."""
        try:
            return self.member.size if self.member else self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def read(self) -> bytes:
        """Return the content. Raises `DataError` if it cannot be read or, in an archive, differs
        from what the directory says.
        """
        try:
            if self.member:
                return read_member(self.path, self.name, self.member)
            return regular(self.path).read_bytes()
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def stamp(self) -> str:
        """Return what tells the content from any other without reading it: path, size and time of
        change, for a frame of a video its number too; in an archive name, size and checksum. Raises
        `DataError` for a broken link.
        """
        if self.member:
            return f"{self.name} {self.size} {self.member.crc:08x}"
        size, at = self.size, "" if self.at is None else f"#{self.at}"
        return f"{self.path.absolute()}{at} {size} {self.path.stat().st_mtime_ns}"

    def crc(self) -> int:
        """Return the CRC-32 of the content, of a frame that of its video; an archive states it."""
        if self.at is not None:
            return _crc_of(self._replace(at=None), self.path.stat().st_mtime_ns)
        return self.member.crc if self.member else zlib.crc32(self.read())


@lru_cache(maxsize=1024)
def _crc_of(video: File, changed: int) -> int:
    """Return the CRC-32 of a video file, read piece by piece."""
    found = 0
    with video.path.open("rb") as file:
        while piece := file.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


def is_there(root: Path, folder: str, archive: str) -> bool:
    """Return whether `root` has the folder, or the zip in its place."""
    return (root / folder).is_dir() or _archive(root, archive).is_file()


def list_files(
    root: Path, folder: str, archive: str, below: str = "", suffix: str = ".png"
) -> dict[str, File]:
    """Return the files of a folder of a data set by their names in that folder, in the order of
    names.

    Hidden files and litter are passed over, as `list_folder` does.

    Args:
        root: the data set's folder.
        folder: the folder below `root`; empty for that itself.
        archive: the zip in `root` that is read if there is no such folder; it may hold the files
            in FOLDER or at its top.
        below: a subfolder to which the listing is limited.
        suffix: the end of the names, in any case; the returned names have it in lower case.

    Raises:
        DataError: if there is neither the folder nor the zip, if the zip is damaged or holds a
            dangerous name (`list_archive`), and if two names differ in the case of the suffix only.
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
                f"{file} and {by_key[key]} differ in the case of their suffix only; remove one"
            )
        by_key[key] = file
    return by_key


def _archive(root: Path, archive: str) -> Path:
    """Return the path of a zip, whatever the case of its suffix."""
    path = root / archive
    spellings = (path, path.with_suffix(".ZIP"), path.with_suffix(".Zip"))
    return next((spelling for spelling in spellings if spelling.is_file()), path)


def ignored_below(root: Path) -> tuple[Ignored, ...]:
    """Return what is passed over of a data set's folder and of the zips in it: hidden files,
    litter, links in a circle.
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
    """Return a hash of the names and sizes of all files and of the checksums of up to 32 files
    spread evenly, the same for a folder and its zip.

    A change that keeps every size is noticed in those 32 files only: reading them all would take as
    long as decoding.
    """
    last = len(files) - 1
    sampled = {round(i * last / (SAMPLE - 1)) for i in range(SAMPLE)}
    lines = [
        f"{file.key} {file.size} {file.crc():08x}" if i in sampled else f"{file.key} {file.size}"
        for i, file in enumerate(files)
    ]
    return content_hash("\n".join(lines))
