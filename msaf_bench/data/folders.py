"""The files of a folder by their names."""

import re
from collections.abc import Sequence
from pathlib import Path

from msaf_bench.errors import DataError


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key that puts frame 9 before frame 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", text)]


def list_by_key(folder: Path, suffixes: Sequence[str], what: str, *, deep: bool = True) -> dict[str, Path]:
    """The files of a folder that end in `suffixes`, in natural order; the key is the path in the folder without the suffix.

    With `deep` those of its subfolders too. Hidden files are passed over; a folder or a broken link that is named like a file is listed, so
    that reading it says what it is. Raises `DataError` for a folder that is missing or has no such file, and for two files of one key.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of {what}s")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*") if deep else folder.glob("*"), key=lambda path: natural(path.as_posix())):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes:
            continue
        key = path.relative_to(folder).with_suffix("").as_posix()
        if key in found:
            raise DataError(f"{path}: {found[key].name} is there too; leave one of them")
        found[key] = path
    if not found:
        raise DataError(f"{folder}: no {what} there ({', '.join(suffixes)})")
    return found
