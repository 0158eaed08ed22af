"""The files of a data set: plain in a folder, or in a zip beside it that is read without unpacking.

A read opens the file anew, so that threads and forked or spawned workers share no position in it.
"""

import os
import re
import stat
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from msaf_bench.errors import DataError
from msaf_bench.folders import LEFT, Ignored, is_litter, list_folder, natural, summed
from msaf_bench.inputs import regular
from msaf_bench.spec import content_hash

LARGEST = 256 << 20  #: bytes of a file in an archive, at most
#: times that a file of more than 1 MiB may be larger than its packed form; a picture is 1 to 10
#: times
DENSEST = 100
SAMPLE = 32  #: files of a fingerprint whose content is read

_OUTSIDE = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)|.*[\\\0]", re.DOTALL)
_HEADER = 30  # bytes before a member's own name


class Entry(NamedTuple):
    """A file in an archive: where its header is, and what the archive's directory says of it."""

    offset: int
    packed: int
    size: int
    crc: int
    deflated: bool


class File(NamedTuple):
    """A file of a data set by its name below the root; `path` is its own, or the archive's that
    `entry` is in.
    """

    name: str
    path: Path
    entry: Entry | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.name}" if self.entry else str(self.path)

    @property
    def size(self) -> int:
        """Bytes of the content. Raises `DataError` for a broken link."""
        try:
            return self.entry.size if self.entry else self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def read(self) -> bytes:
        """The content, which in an archive must be what the directory says. Raises `DataError`."""
        try:
            return _unpacked(self, self.entry) if self.entry else regular(self.path).read_bytes()
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error.strerror}); copy it again") from error

    def crc(self) -> int:
        """CRC-32 of the content; an archive states it."""
        return self.entry.crc if self.entry else zlib.crc32(self.read())


def is_there(root: Path, folder: str, archive: str) -> bool:
    """Whether `root` has the folder, or the zip in its place."""
    return (root / folder).is_dir() or _archive(root, archive).is_file()


def list_files(
    root: Path, folder: str, archive: str, below: str = "", suffix: str = ".png"
) -> dict[str, File]:
    """The files of ROOT/FOLDER, or of FOLDER in the zip ROOT/ARCHIVE, that end in `suffix`, by
    their name in FOLDER, in natural order.

    Only those in its folder `below`, where one is given. The suffix may have any case, and names
    have it in lower case. Hidden files and litter are passed over, as `list_folder` does. A zip
    without FOLDER may hold the files at its top. Raises `DataError` where there is neither a folder
    nor a zip, for a zip that is damaged or holds a name that none should (`list_archive`), and for
    two files whose names differ in the case of the suffix only.
    """
    start = f"{below}/" if below else ""
    if (root / folder).is_dir():
        there = (
            list_folder(root / folder / below, (suffix,)).names
            if (root / folder / below).is_dir()
            else ()
        )
        return _by_name(
            suffix,
            {
                start + name: File(f"{folder}/{start}{name}", root / folder / below / name)
                for name in there
            },
        )
    path = _archive(root, archive)
    if not path.is_file():
        raise DataError(
            f"{root / folder}: no such folder, and no {archive} in {root}; copy the data set there"
        )
    entries = {
        name: entry
        for name, entry in list_archive(path).items()
        if not is_litter(name) and name.lower().endswith(suffix)
    }
    inside = {
        name.removeprefix(f"{folder}/"): name
        for name in entries
        if name.startswith(f"{folder}/{start}")
    }
    wanted = inside or {name: name for name in entries if "/" not in name}
    names = sorted(wanted, key=natural)
    return _by_name(
        suffix, {name: File(f"{folder}/{name}", path, entries[wanted[name]]) for name in names}
    )


def ignored_below(root: Path) -> tuple[Ignored, ...]:
    """What is passed over of a data set's folder and of the zips in it: hidden files, litter, links
    in a circle.
    """
    names, ignored = list_folder(root)
    zips = [root / name for name in names if "/" not in name and name.lower().endswith(".zip")]
    for path in zips:
        with suppress(DataError):  # a damaged zip that is needed stops whatever opens it
            ignored += summed(
                path, ((name, LEFT) for name in list_archive(path) if is_litter(name))
            )
    return ignored


def _archive(root: Path, archive: str) -> Path:
    """The zip, whatever the case of its suffix."""
    path = root / archive
    return (
        path
        if path.is_file()
        else next(
            (p for p in (path.with_suffix(".ZIP"), path.with_suffix(".Zip")) if p.is_file()), path
        )
    )


def _by_name(suffix: str, files: dict[str, File]) -> dict[str, File]:
    """The files with the suffix of their names in lower case."""
    found: dict[str, File] = {}
    for name, file in files.items():
        key = name[: -len(suffix)] + suffix
        if key in found:
            raise DataError(
                f"{file} and {found[key]} differ in the case of their suffix only; remove one"
            )
        found[key] = file._replace(name=file.name[: -len(suffix)] + suffix)
    return found


def list_archive(path: Path) -> dict[str, Entry]:
    """The files in a zip by their names. Nothing of it is unpacked.

    Raises `DataError` for a zip that is cut, and for the first member that leads out of the
    archive, is no plain file, is encrypted, unpacks to far more than it is, or has the name of
    another one (be it in other case).
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a whole zip ({path.stat().st_size} bytes); copy it again"
        ) from error
    seen: dict[str, str] = {}
    for member in members:
        fault = _fault(member, seen)
        if fault:
            raise DataError(
                f"{path}: {member.orig_filename!r} {fault}; nothing was read, take the archive from"
                " its source again"
            )
        seen[member.filename.rstrip("/").casefold()] = member.filename
    return {
        m.filename: Entry(
            m.header_offset, m.compress_size, m.file_size, m.CRC, m.compress_type == ZIP_DEFLATED
        )
        for m in members
        if not m.is_dir()
    }


def _fault(member: ZipInfo, seen: dict[str, str]) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    other = seen.get(member.filename.rstrip("/").casefold())
    faults = {
        "leads out of the archive": _OUTSIDE.match(member.orig_filename),
        "is a link or a device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "is encrypted": member.flag_bits & 1,
        "is packed in a way that is not read here": (
            member.compress_type not in (ZIP_STORED, ZIP_DEFLATED)
        ),
        f"unpacks to {member.file_size} bytes from {member.compress_size}": (
            max(member.file_size, member.compress_size) > LARGEST
            or member.file_size > max(DENSEST * member.compress_size, 1 << 20)
        ),
        "is there twice" if other == member.filename else f"is {other!r} in other case": (
            other is not None
        ),
    }
    return next((text for text, wrong in faults.items() if wrong), "")


def _unpacked(file: File, entry: Entry) -> bytes:
    with file.path.open("rb") as archive:
        archive.seek(entry.offset)
        header = archive.read(_HEADER)
        # The header's own name and extra field may be longer or shorter than in the directory.
        archive.seek(
            int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"),
            os.SEEK_CUR,
        )
        packed = archive.read(entry.packed)
    try:
        content = (
            zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.size + 1)
            if entry.deflated
            else packed
        )
    except zlib.error:
        content = b""
    if header[:4] != b"PK\3\4" or len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise DataError(
            f"{file}: damaged, it has not the checksum that the archive states; copy the archive"
            " again"
        )
    return content


def fingerprint(files: Sequence[File]) -> str:
    """Hash of the names and sizes of all files and of the checksums of up to 32 spread evenly, the
    same from a folder and a zip.

    A change that keeps every size is seen in those 32 files only: reading them all would take as
    long as decoding does.
    """
    sampled = (
        {round(i * (len(files) - 1) / (SAMPLE - 1)) for i in range(SAMPLE)} if files else set[int]()
    )
    return content_hash(
        "\n".join(
            f"{f.name} {f.size}" + (f" {f.crc():08x}" if i in sampled else "")
            for i, f in enumerate(files)
        )
    )
