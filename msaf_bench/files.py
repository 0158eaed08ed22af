"""Durable files of a run. No torch here.

A file is replaced as a whole and its name is made durable, so a killed process or a power cut
leaves either the old or the new file. A JSON document carries a checksum of its own content, so
every change of the content is noticed on reading.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

from pydantic import ValidationError

from msaf_bench.errors import HostError
from msaf_bench.packed import document
from msaf_bench.spec import Spec

S = TypeVar("S", bound=Spec)

CHECKSUM = "checksum"  #: the key of a document's own
#: temporary files; the star stands for the id of the writing process and a random word
PARTS = ".msaf-bench-*.part"


def write_atomic(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace `path` as a whole, through a temporary file in the same folder.

    A power cut may lose or damage a file that is not `durable`. Raises `HostError` if it cannot
    be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with (
        replacing(path, durable=durable) as temporary,
        os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file,
    ):
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def replacing(path: Path, suffix: str = "", *, durable: bool = True) -> Generator[Path]:
    """Yield a temporary path in the same folder that replaces `path` at the end of the block.

    The caller creates the file. After an error, `path` stays as it was; an error of the system is
    raised as `HostError`. `suffix` ends the temporary name, for writers that choose a format by it.
    """
    name = PARTS.replace("*", f"{os.getpid()}-{secrets.token_hex(4)}")
    temporary = path.parent / f"{name}{suffix}"
    try:
        _make_folder(path.parent)
        yield temporary
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    except BaseException as error:
        with suppress(OSError):  # below a file there is nothing to remove
            temporary.unlink()
        if isinstance(error, OSError):
            raise HostError(
                f"cannot write {path}: {error.strerror or error}; choose another folder"
            ) from error
        raise


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_parts(folder: Path) -> None:
    """Remove the half-written files of killed processes, in a folder and below it.

    Files of living processes stay.
    """
    for path in folder.rglob(PARTS):
        process = path.name.removeprefix(PARTS.partition("*")[0]).partition("-")[0]
        if process.isdigit() and not lives(int(process)):
            path.unlink(missing_ok=True)


def lives(process: int) -> bool:
    """Return whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_kept(path: Path, kept: Spec) -> None:
    """Write a spec as JSON with sorted keys and a checksum.

    Raises `ValueError` for a number that is not finite, which JSON cannot hold.
    """
    content = kept.model_dump(mode="json")
    document = {**content, CHECKSUM: _checksum(content)}
    write_atomic(path, json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_kept(
    kind: type[S],
    path: Path,
    what: str,
    again: str,
    upgrade: Callable[[dict[str, object]], dict[str, object]] = dict,
    name: Callable[[S], str] | None = None,
) -> S:
    """Read a document written by `write_kept`.

    Args:
        kind: spec that the document holds
        path: file, or its place in a packed run
        what: noun for the document in an error
        again: remedy in an error, after "move it away to"
        upgrade: turns a document of an earlier version, without a checksum, into the present form
        name: returns the file name, without suffix, that the document must have

    Raises:
        HostError: the document is missing, damaged, or stored under another document's name
    """
    try:
        kept = kind.model_validate(_content(path, upgrade))
        if name and name(kept) != path.stem:
            raise ValueError(f"it belongs to {name(kept)}, unlike its file name")
        return kept
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise HostError(
            f"{path}: not a {what} of this version ({_fault(error)}); move it away to {again}"
        ) from error


def _content(
    path: Path, upgrade: Callable[[dict[str, object]], dict[str, object]]
) -> dict[str, object]:
    """Return the content of a document once it has matched its checksum, in the present form.

    A packed document has no checksum: its archive has one for all documents.
    """
    if not path.exists() and (packed := document(path)) is not None:
        packed.pop(CHECKSUM, None)
        return packed
    if path.exists() and not path.is_file():
        raise ValueError("not a file")
    found: object = json.loads(path.read_bytes().decode())
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    content = cast("dict[str, object]", found)
    given = content.pop(CHECKSUM, None)
    if given is None:
        return upgrade(content)
    if given != _checksum(content):
        raise ValueError("its content does not match its checksum")
    return content


def _checksum(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        return f"{place}: {said}" if place else said
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).splitlines()[0] if str(error) else type(error).__name__
