"""Rules for writing output: never over an input, never over files of others. No torch here.

Each folder that a command writes to holds `.msaf-bench.json`, a ledger with the name and hash of
each file at the time of writing. A file belongs to others if it is not listed or has changed since.
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

#: suffixes of outputs that a listing of label maps or frames would include
PICTURES = (".png",)
LEDGER = ".msaf-bench.json"  #: names and hashes of the files written into a folder


def check_folder(folder: Path, option: str = "--reports") -> None:
    """Raise `HostError` if the folder is not writable, before any result is computed and lost."""
    there = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path)
    )
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise HostError(
            f"{option} {folder}: {there} is not a writable folder; choose another folder"
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
    """Refuse to write files into a folder if they would replace an input or a file of others.

    Inputs are compared by device and inode, so links to them count; they are never replaced. A
    picture is also refused in a folder whose pictures are listed, because the next listing would
    include it. Nothing has been written when an error is raised.

    Args:
        folder: Folder to write to.
        names: Names of the files to write.
        inputs: Files that the command reads.
        listed: Folders whose pictures the command lists.
        deep: Listings include subfolders.
        overwrite: Allow replacing files of others, except inputs.
        option: Name of the folder's option in errors.

    Raises:
        UsageError: A file would replace an input or a file of others, or would appear in a listing.
        HostError: The folder is not writable.
    """
    names = list(names)
    check_folder(folder, option)
    if strange := [
        name for name in names if os.path.lexists(folder / name) and not (folder / name).is_file()
    ]:
        raise UsageError(
            f"{option} {folder}: {strange[0]} exists and is not a file; choose another folder"
        )
    there = {name: status for name in names if (status := _status(folder / name))}
    read = {status: path for path in inputs if (status := _status(path))} if there else {}
    for name, status in there.items():
        if status in read:
            raise UsageError(
                f"{option} {folder}: {name} would replace the input {read[status]}; choose"
                " another folder"
            )
    _check_listed(folder, names, listed, deep, option)
    ours = {} if overwrite else _ledger(folder)
    for name in () if overwrite else there:
        if _hash(folder / name) not in ours.get(name, ()):
            raise UsageError(
                f"{option} {folder}: {name} exists and was not written by msaf-bench, or has"
                " changed since; choose another folder, or add --overwrite"
            )


def _check_listed(
    folder: Path, names: Iterable[str], listed: Iterable[Path], deep: bool, option: str
) -> None:
    """Raise `UsageError` if the next listing of an input folder would include a new picture."""
    picture = next((name for name in names if name.lower().endswith(PICTURES)), None)
    roots = {status: root for root in listed if (status := _status(root))}
    places = (folder.resolve(), *(folder.resolve().parents if deep else ()))
    around = next((roots[status] for place in places if (status := _status(place)) in roots), None)
    if picture and around:
        raise UsageError(
            f"{option} {folder}: {picture} would lie among the input files of {around};"
            " choose another folder"
        )


def write_outputs(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a folder, each atomically, enter them in its ledger, and return their paths.

    Raises `HostError` if a file cannot be written.
    """
    content = {
        name: text.encode() if isinstance(text, str) else text for name, text in files.items()
    }
    # Entered before they are written, so that the next run after a kill recognises all files.
    _enter(folder, {name: hashlib.sha256(data).hexdigest() for name, data in content.items()})
    for name, data in content.items():
        write_atomic(folder / name, data)
    return [folder / name for name in files]


@contextmanager
def entering(folder: Path) -> Generator[list[str]]:
    """Enter the names added to the yielded list in the ledger, once their files are written.

    This happens at the end of the block, also after an error or Ctrl-C.
    """
    names = list[str]()
    try:
        yield names
    finally:
        if names:
            _enter(folder, {name: found for name in names if (found := _hash(folder / name))})


def _enter(folder: Path, hashes: Mapping[str, str]) -> None:
    """Enter hashes in the ledger of a folder.

    The previous hash of each file stays, in case the file has not been replaced yet.
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
