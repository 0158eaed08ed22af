"""What lies in a folder: one listing for every command and data set. No torch here."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msaf_bench.errors import DataError

#: What systems and viewers leave beside pictures, in lower case; names that begin with a dot come
#: on top.
LITTER = frozenset(
    ("lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle",
    "$recycle.bin", "system volume information")
)  # fmt: skip

DEEPEST = 64  #: folders inside each other
LEFT = "hidden, or left by the system"  #: why such names are passed over


class Ignored(NamedTuple):
    """What a listing passed over, of one kind."""

    folder: str
    why: str
    names: int
    first: str  #: the first name, below the folder

    def __str__(self) -> str:
        more = f", and {self.names - 1} more" if self.names > 1 else ""
        return f"{self.folder}: ignored {self.first}{more} ({self.why})"


class Listing(NamedTuple):
    """The names below a folder in natural order, and what was passed over."""

    names: tuple[str, ...]
    ignored: tuple[Ignored, ...]


class Files(NamedTuple):
    """The files of a folder by their key: the name below the folder without the suffix."""

    by_key: dict[str, Path]
    ignored: tuple[Ignored, ...]


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """A sort key that puts frame 9 before frame 10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", text)
    ], text


def is_litter(name: str) -> bool:
    """Whether a path has a hidden part, or one that a system left: `.ipynb_checkpoints`, `._a.png`,
    `Thumbs.db`, `__MACOSX`.
    """
    return any(part.startswith(".") or part.lower() in LITTER for part in name.split("/"))


def list_folder(folder: Path, suffixes: Sequence[str] = (), *, deep: bool = True) -> Listing:
    """The files below a folder that end in one of `suffixes` in any case, or all of them; with
    `deep` those of its subfolders too.

    Links are followed; one that leads back to a folder around it is passed over. So are hidden
    names and litter (`is_litter`), other suffixes, and without `deep` subfolders. A folder or a
    broken link that is named like a file is listed, so that reading it says what it is. Raises
    `DataError` for a folder that is missing or cannot be read.
    """
    names, passed = list[str](), list[tuple[str, str]]()
    for name, why in _walk(folder, "", suffixes, deep, ()):
        passed.append((name, why)) if why else names.append(name)
    return Listing(tuple(sorted(names, key=natural)), summed(folder, passed))


def list_names(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """The names that `list_folder` lists, in the order of text: of half a million files, natural
    order and what was passed over would take longer than listing them. Raises `DataError` as it
    does.
    """
    return sorted(name for name, why in _walk(folder, "", suffixes, True, ()) if not why)


def summed(folder: Path, passed: Iterable[tuple[str, str]]) -> tuple[Ignored, ...]:
    """Names below a folder and why they were passed over, by kind."""
    kinds: dict[str, list[str]] = {}
    for name, why in passed:
        kinds.setdefault(why, []).append(name)
    return tuple(
        Ignored(str(folder), why, len(names), min(names, key=natural))
        for why, names in kinds.items()
    )


def list_by_key(folder: Path, suffixes: Sequence[str], what: str, *, deep: bool = True) -> Files:
    """The files that `list_folder` finds, by their names without the suffix.

    Raises `DataError` for a folder that is missing or has no such file, and for two files of one
    key.
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
    """Names below `folder`, from its subfolder `start` on, each with the reason for passing it
    over; `above` are the folders around.
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
    """Device and inode of a folder, or of the one that a link leads to; None for everything else, a
    link that leads nowhere among it.
    """
    try:
        if not entry.is_dir():  # mostly known without asking the file system
            return None
        status = entry.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
