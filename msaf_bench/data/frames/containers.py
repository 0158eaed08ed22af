"""Containers of video files: completeness and display time."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from msaf_bench.errors import DataError
from msaf_bench.inputs import regular

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # IDs of Matroska and WebM
_RIFF = b"RIFF"  # start of an AVI
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")  # possible first boxes of an MP4


def check_whole(path: Path) -> None:
    """Raise `DataError` if a video file is truncated.

    The file must not be shorter than its container states (MP4 and QuickTime, AVI, Matroska and
    WebM), and an MP4 must have its index. Other containers state no size and are not checked.
    """
    try:
        with regular(path).open("rb") as file:
            stated = _stated_bytes(path, file)
            there = file.seek(0, 2)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if stated > there:
        raise DataError(
            f"{path}: cut: the container states {stated} bytes and the file has {there}; copy it"
            " again"
        )


def is_avi(path: Path) -> bool:
    """Return whether a file is an AVI; its frames have numbers and no timestamps."""
    with path.open("rb") as file:
        return file.read(4) == _RIFF


def shown_seconds(path: Path) -> float | None:
    """Return the display time of an MP4's video track in seconds, None if not stated.

    An edit list may shorten it (ISO/IEC 14496-12, 8.3.2 and 8.6.6).
    """
    with path.open("rb") as file:
        if file.read(8)[4:] not in _BOXES:
            return None
        movie = _content(file, b"moov")
    ticks = _number(_content(BytesIO(movie), b"mvhd"), 12, 20, 4)
    for kind, start, end in _boxes(BytesIO(movie)):
        track = BytesIO(movie[start:end])
        if kind == b"trak" and _content(track, b"mdia", b"hdlr")[8:12] == b"vide":
            edits = _content(track, b"edts", b"elst")
            duration = _number(_content(track, b"tkhd"), 20, 28, 8)
            shown = _shown_ticks(edits) if edits else duration
            return shown / ticks if shown and ticks else None
    return None


def _shown_ticks(edits: bytes) -> int:
    """Return the display time of the track in ticks; an empty edit only delays it."""
    width = 8 if edits[:1] == b"\1" else 4
    size = 2 * width + 4
    entries = [edits[at : at + size] for at in range(8, len(edits) - size + 1, size)]
    empty = b"\xff" * width
    return sum(
        int.from_bytes(each[:width], "big") for each in entries if each[width : 2 * width] != empty
    )


def _stated_bytes(path: Path, file: BinaryIO) -> int:
    """Return the size that the container states for the file, 0 if it states none."""
    head = file.read(8)
    if head[4:] in _BOXES:
        boxes = {kind: end for kind, _, end in _boxes(file)}
        if b"moov" not in boxes:
            raise DataError(
                f"{path}: cut: an MP4 without its index (moov), as an interrupted recording leaves"
                " it; copy or record it again"
            )
        return max(boxes.values())
    if head[:4] == _RIFF:
        return 8 + int.from_bytes(head[4:], "little")
    return _end_of_segment(file) if head[:4] == _EBML else 0


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box of an MP4, and the start and end of its content.

    Source: ISO/IEC 14496-12, 4.2.
    """
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].isalnum():
            return
        size, start = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:], "big"), at + 16
        at = max(at + size, start) if size else file.seek(0, 2)  # a size of 0 means to the end
        yield head[4:8], start, at


def _content(file: BinaryIO, *kinds: bytes) -> bytes:
    """Return the content of the first box of the last kind, following the path of nested boxes."""
    for kind in kinds:
        found = ((start, end) for each, start, end in _boxes(file) if each == kind)
        start, end = next(found, (0, 0))
        file.seek(start)
        file = BytesIO(file.read(end - start))
    return file.read()


def _number(header: bytes, short_at: int, long_at: int, long_bytes: int) -> int:
    """Return a number of an MP4's header: 4 bytes in version 0, `long_bytes` in version 1."""
    if header[:1] == b"\1":
        return int.from_bytes(header[long_at : long_at + long_bytes], "big")
    return int.from_bytes(header[short_at : short_at + 4], "big")


def _end_of_segment(file: BinaryIO) -> int:
    """Return the end of a Matroska file's segment (RFC 8794, 4 to 6).

    Returns 0 if the size is unknown, as in live recordings.
    """
    file.seek(len(_EBML))
    length = _variable_integer(file)
    file.seek(length, 1)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    start = file.tell()
    size = _variable_integer(file)
    width = file.tell() - start
    return 0 if size == 2 ** (7 * width) - 1 else file.tell() + size


def _variable_integer(file: BinaryIO) -> int:
    """Read an integer; the number of its leading zero bits gives its length in bytes."""
    first = int.from_bytes(file.read(1), "big")
    more = 8 - first.bit_length()
    rest = int.from_bytes(file.read(more), "big")
    return (first & (0x7F >> more)) << (8 * more) | rest
