"""List folders: one listing for every command and data set. No torch here."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msaf_bench.errors import DataError

#: Files that systems and viewers leave beside pictures, in lower case. Names with a leading dot
#: count too.
LITTER = frozenset(
    ("lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle",
    "$recycle.bin", "system volume information")
)  # fmt: skip

DEEPEST = 64  #: deepest level of nested folders
LEFT = "hidden, or left by the system"  #: reason for passing such names over


class Ignored(NamedTuple):
    """Names of one kind that a listing passed over."""

    folder: str
    why: str
    names: int
    first: str  #: the first name, below the folder

    def __str__(self) -> str:
        more = f", and {self.names - 1} more" if self.names > 1 else ""
        return f"{self.folder}: ignored {self.first}{more} ({self.why})"


class Listing(NamedTuple):
    """Names below a folder in natural order, and the names passed over."""

    names: tuple[str, ...]
    ignored: tuple[Ignored, ...]


class Files(NamedTuple):
    """Files of a folder by key: the name below the folder, without the suffix."""

    by_key: dict[str, Path]
    ignored: tuple[Ignored, ...]


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts frame 9 before frame 10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", text)
    ], text


def is_litter(name: str) -> bool:
    """Return whether a path has a hidden part, or one left by a system: `.ipynb_checkpoints`,
    `._a.png`, `Thumbs.db`, `__MACOSX`.
    """
    return any(part.startswith(".") or part.lower() in LITTER for part in name.split("/"))


def list_folder(folder: Path, suffixes: Sequence[str] = (), *, deep: bool = True) -> Listing:
    """List the files below a folder whose names end in one of `suffixes`, in any case.

    Without suffixes all files are listed; with `deep` those of subfolders too. Links are followed,
    unless they lead back to an enclosing folder. Hidden names, litter (`is_litter`) and other
    suffixes are passed over. A folder or a broken link with the name of a file is listed, so that
    reading it fails with a clear error. Raises `DataError` if the folder is missing or unreadable.
    """
    names, passed = list[str](), list[tuple[str, str]]()
    for name, why in _walk(folder, "", suffixes, deep, ()):
        passed.append((name, why)) if why else names.append(name)
    return Listing(tuple(sorted(names, key=natural)), summed(folder, passed))


def list_names(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Return the names that `list_folder` lists, in text order.

    For half a million files, natural order and the names passed over would take longer than the
    listing itself. Raises `DataError` like `list_folder`.
    """
    return sorted(name for name, why in _walk(folder, "", suffixes, True, ()) if not why)


def summed(folder: Path, passed: Iterable[tuple[str, str]]) -> tuple[Ignored, ...]:
    """Group the names passed over below a folder by reason."""
    kinds: dict[str, list[str]] = {}
    for name, why in passed:
        kinds.setdefault(why, []).append(name)
    return tuple(
        Ignored(str(folder), why, len(names), min(names, key=natural))
        for why, names in kinds.items()
    )


def list_by_key(folder: Path, suffixes: Sequence[str], what: str, *, deep: bool = True) -> Files:
    """Return the files that `list_folder` finds, by name without suffix.

    Args:
        folder: folder to list
        suffixes: accepted suffixes
        what: noun for a file in an error, such as "label map"
        deep: also list subfolders

    Raises:
        DataError: the folder is missing or has no such file, or two files have the same key
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of {what}s")
    names, ignored = list_folder(folder, suffixes, deep=deep)
    found: dict[str, Path] = {}
    for name in names:
        key, path = Path(name).with_suffix("").as_posix(), folder / name
        if key in found:
            raise DataError(f"{path}: {found[key].name} is there too; leave one of them")
        found[key] = path
    if not found:
        raise DataError(
            "; ".join(
                (f"{folder}: no {what} there ({', '.join(suffixes)})", *map(str, ignored[:2]))
            )
        )
    return Files(found, ignored)


def _walk(
    folder: Path,
    start: str,
    suffixes: Sequence[str],
    deep: bool,
    above: tuple[tuple[int, int], ...],
) -> Iterator[tuple[str, str]]:
    """Yield names below `folder`, each with the reason for passing it over.

    Args:
        folder: folder to list
        start: subfolder at which to begin
        suffixes: accepted suffixes; empty: all
        deep: also list subfolders
        above: device and inode of each enclosing folder, to detect loops of links
    """
    try:
        status = (folder / start).stat()
        with os.scandir(folder / start) as found:
            entries = list(found)
    except OSError as error:
        raise DataError(
            f"{folder / start}: cannot be listed ({error.strerror}); give a folder that can be read"
        ) from error
    here = (*above, (status.st_dev, status.st_ino))
    for entry in entries:
        name = f"{start}{entry.name}"
        inside, wanted = (
            _folder_status(entry),
            not suffixes or entry.name.lower().endswith(tuple(suffixes)),
        )
        if is_litter(entry.name):
            yield name, LEFT
        elif inside and not (suffixes and wanted):
            if not deep:
                yield name, "a subfolder"
            elif inside in here:
                yield name, "a link back to a folder around it"
            elif len(here) > DEEPEST:
                raise DataError(
                    f"{folder / start}: more than {DEEPEST} folders inside each other; give a"
                    " folder further down"
                )
            else:
                yield from _walk(folder, f"{name}/", suffixes, deep, here)
        elif not wanted:
            yield name, f"not {' or '.join(suffixes)}"
        else:
            yield name, ""


def _folder_status(entry: "os.DirEntry[str]") -> tuple[int, int] | None:
    """Return device and inode of a folder, following links.

    Return None for everything else, including a broken link.
    """
    try:
        if not entry.is_dir():  # mostly known without asking the file system
            return None
        status = entry.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
