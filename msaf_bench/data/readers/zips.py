"""Zip archives of data sets: checked when listed, read member by member, never unpacked."""

import os
import re
import stat
import zlib
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from msaf_bench.errors import DataError

LARGEST = 256 << 20  #: size limit of a file in an archive, in bytes
#: limit of the compression ratio for files of more than 1 MiB; pictures have 1 to 10
DENSEST = 100

_OUTSIDE = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)|.*[\\\0]", re.DOTALL)
_HEADER = 30  # bytes before a member's own name


class Member(NamedTuple):
    """File in an archive, described by the archive's directory."""

    offset: int  #: position of its header in the archive
    packed: int  #: compressed size in bytes
    size: int  #: size of the content in bytes
    crc: int
    deflated: bool


def list_archive(path: Path) -> dict[str, Member]:
    """Return the files in a zip by their names, without unpacking anything.

    Raises `DataError` if the zip is truncated. Also raises it for the first member that leads out
    of the archive, is not a regular file, is encrypted, unpacks to far more than its packed size,
    or has the name of another member (in any case).
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a complete zip ({path.stat().st_size} bytes); copy it again"
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
        m.filename: Member(
            m.header_offset, m.compress_size, m.file_size, m.CRC, m.compress_type == ZIP_DEFLATED
        )
        for m in members
        if not m.is_dir()
    }


def _fault(member: ZipInfo, seen: dict[str, str]) -> str:
    """Return the fault of a member, or an empty text; `seen` holds the names before it."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    other = seen.get(member.filename.rstrip("/").casefold())
    faults = {
        "leads out of the archive": _OUTSIDE.match(member.orig_filename),
        "is a link or a device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "is encrypted": member.flag_bits & 1,
        "uses an unsupported compression method": (
            member.compress_type not in (ZIP_STORED, ZIP_DEFLATED)
        ),
        f"unpacks to {member.file_size} bytes from {member.compress_size}": (
            max(member.file_size, member.compress_size) > LARGEST
            or member.file_size > max(DENSEST * member.compress_size, 1 << 20)
        ),
        "occurs twice" if other == member.filename else f"is {other!r} in another case": (
            other is not None
        ),
    }
    return next((text for text, wrong in faults.items() if wrong), "")


def read_member(path: Path, name: str, member: Member) -> bytes:
    """Return the content of a member; `name` is for messages.

    Opens the archive anew, so that threads and workers share no position in it. Raises `DataError`
    if size or checksum differ from the directory's.
    """
    with path.open("rb") as archive:
        archive.seek(member.offset)
        header = archive.read(_HEADER)
        # Name and extra field may have other lengths here than in the directory.
        archive.seek(
            int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"),
            os.SEEK_CUR,
        )
        packed = archive.read(member.packed)
    content = packed
    if member.deflated:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
        except zlib.error:
            content = b""
    whole = len(content) == member.size and zlib.crc32(content) == member.crc
    if header[:4] != b"PK\3\4" or not whole:
        raise DataError(
            f"{path}: {name}: damaged, its size or checksum differs from the archive's; copy the"
            " archive again"
        )
    return content
