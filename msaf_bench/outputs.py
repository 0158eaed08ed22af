"""Where a command may write: never on what it reads, and not on files of others. No torch here.

A folder that a command wrote into holds `.msaf-bench.json`: the name and the hash of each file as
it was left there. A file that it does not list, or that was changed since, is not ours.
"""

import hashlib
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter

from msaf_bench.documents import json_text
from msaf_bench.errors import HostError, UsageError
from msaf_bench.files import write_atomic
from msaf_bench.inputs import regular

#: suffixes of what is written that a listing of label maps or frames would take
PICTURES = (".png",)
LEDGER = ".msaf-bench.json"  #: what was written into a folder


def check_folder(folder: Path, option: str = "--reports") -> None:
    """Raises `HostError` where nothing can be written, so that no result is made and then lost."""
    there = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path)
    )
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise HostError(
            f"{option} {folder}: {there} is not a folder that can be written to; choose another"
            " folder"
        )


def check_outputs(
    folder: Path,
    names: Iterable[str],
    inputs: Iterable[Path] = (),
    *,
    listed: Iterable[Path] = (),
    deep: bool = True,
    overwrite: bool = False,
    option: str = "--reports",
) -> None:
    """Refuse to write files of these names into a folder where that would replace an input, or a
    file that is not ours.

    Inputs are known by device and inode, so links to them are seen; they are never replaced. Nor
    does a picture come into a folder whose pictures are `listed`, or with `deep` below it: the next
    listing would read it. Raises `UsageError` before anything is written, `HostError` where the
    folder cannot be written to.
    """
    names = list(names)
    check_folder(folder, option)
    if strange := [
        name for name in names if os.path.lexists(folder / name) and not (folder / name).is_file()
    ]:
        raise UsageError(
            f"{option} {folder}: {strange[0]} is there and is no file; choose another folder"
        )
    there = {name: status for name in names if (status := _status(folder / name))}
    read = {status: path for path in inputs if (status := _status(path))} if there else {}
    for name, status in there.items():
        if status in read:
            raise UsageError(
                f"{option} {folder}: {name} would replace {read[status]}, which is read; choose"
                " another folder"
            )
    _check_listed(folder, names, listed, deep, option)
    ours = {} if overwrite else _ledger(folder)
    for name in () if overwrite else there:
        if _hash(folder / name) not in ours.get(name, ()):
            raise UsageError(
                f"{option} {folder}: {name} is there and not ours; choose another folder, or add"
                " --overwrite"
            )


def _check_listed(
    folder: Path, names: Iterable[str], listed: Iterable[Path], deep: bool, option: str
) -> None:
    """Raises `UsageError` where a picture of these names would be read by the next listing of one
    of these folders.
    """
    picture = next((name for name in names if name.lower().endswith(PICTURES)), None)
    roots = {status: root for root in listed if (status := _status(root))}
    places = (folder.resolve(), *(folder.resolve().parents if deep else ()))
    around = next((roots[status] for place in places if (status := _status(place)) in roots), None)
    if picture and around:
        raise UsageError(
            f"{option} {folder}: {picture} would lie among the files of {around}, which are read;"
            " choose another folder"
        )


def write_outputs(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a folder, each as a whole, and enter them in its ledger; gives their paths.
    Raises `HostError` where it cannot.
    """
    content = {
        name: text.encode() if isinstance(text, str) else text for name, text in files.items()
    }
    # Entered before they are written: a command that is killed leaves nothing that its next run
    # would take for another's.
    _enter(folder, {name: hashlib.sha256(data).hexdigest() for name, data in content.items()})
    for name, data in content.items():
        write_atomic(folder / name, data)
    return [folder / name for name in files]


@contextmanager
def entering(folder: Path) -> Generator[list[str]]:
    """Enter the names that are added to the list, once the files are written: at the end, after an
    error and after Ctrl-C.
    """
    names = list[str]()
    try:
        yield names
    finally:
        if names:
            _enter(folder, {name: found for name in names if (found := _hash(folder / name))})


def _enter(folder: Path, hashes: Mapping[str, str]) -> None:
    """Enter hashes in the ledger of a folder; the one before stays, for a file that is not replaced
    yet.
    """
    known = _ledger(folder)
    known |= {
        name: [*dict.fromkeys((*known.get(name, ())[-1:], new))] for name, new in hashes.items()
    }
    write_atomic(folder / LEDGER, json_text(dict(sorted(known.items()))))


def _status(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _ledger(folder: Path) -> dict[str, list[str]]:
    try:
        return TypeAdapter(dict[str, list[str]]).validate_json(
            regular(folder / LEDGER).read_bytes(), strict=True
        )
    except (OSError, ValueError):
        return {}


def _hash(path: Path) -> str | None:
    try:
        with regular(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
