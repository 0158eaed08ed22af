"""Files of starting weights in a system's options, identified by content. No torch here.

An option `weights` that names a file is stored as `sha256:HEX PATH`. The path serves this process
and its workers. Records of a run and the identity of a trial use `sha256:HEX` alone.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from msaf_bench.errors import HostError, UsageError, host_fault
from msaf_bench.inputs import regular

T = TypeVar("T")

OPTION = "weights"
_PINNED = re.compile(r"sha256:([0-9a-f]{64})(?: (.+))?", re.DOTALL)


class Start(NamedTuple):
    """A file of starting weights."""

    sha256: str  #: SHA-256 of its content; empty if it could not be read
    path: str  #: its path on this machine; empty if unknown, as in a record

    def __str__(self) -> str:
        return f"weights {self.shown}"

    @property
    def shown(self) -> str:
        """Its name and the beginning of its SHA-256, as far as known."""
        digest = f"sha256 {self.sha256[:12]}" if self.sha256 else ""
        return ", ".join(filter(None, (Path(self.path).name, digest)))


def start_of(option: str, value: object) -> Start | None:
    """Return the file named by an option, or None if it names none.

    Other components may use the name `weights` for a plain word.
    """
    if option != OPTION or not isinstance(value, str):
        return None
    if found := _PINNED.fullmatch(value):
        return Start(found[1], found[2] or "")
    return Start("", value) if "." in value or "/" in value or "\\" in value else None


def starts_of(options: Iterable[tuple[str, object]]) -> list[Start]:
    """Return the files of starting weights named by options."""
    starts = (start_of(name, value) for name, value in options)
    return [start for start in starts if start]


def pinned(content: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Return the content of a TOML file with its weights by hash and absolute path.

    A relative path is resolved in `folder`, the place of the TOML file, then in the working folder.
    A missing file keeps only its path. Raises `UsageError` or `HostError` if a file exists but
    cannot be read, and `UsageError` if its hash differs from the given one.
    """
    found: dict[str, object] = {}
    for name, value in content.items():
        start = start_of(name, value)
        found[name] = _pin(start, folder) if start else _pinned_within(value, folder)
    return found


def _pinned_within(value: object, folder: Path) -> object:
    if isinstance(value, Mapping):
        return pinned(cast("Mapping[str, object]", value), folder)
    if isinstance(value, list):
        return [_pinned_within(item, folder) for item in cast("list[object]", value)]
    return value


def without_place(value: T) -> T | str:
    """Return the value of an option as it is recorded: a file of weights by its hash alone."""
    found = _PINNED.fullmatch(value) if isinstance(value, str) else None
    return f"sha256:{found[1]}" if found else value


def without_content(text: str) -> str:
    """Return a canonical text with the hashes of weights removed."""
    return re.sub(r"sha256:[0-9a-f]{64}", "sha256:", text)


def _pin(start: Start, folder: Path) -> str:
    if not start.path:
        return f"sha256:{start.sha256}"
    try:
        tried = [(folder / start.path).resolve(), Path(start.path).resolve()]
        path = next((path for path in tried if path.exists()), tried[-1])
        state = regular(path).stat()
        found = _digest(path, state.st_mtime_ns, state.st_size)
    except FileNotFoundError:
        return str(Path(start.path).resolve())
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = f"{OPTION} {start.path!r:.100}: {getattr(error, 'strerror', None) or error}"
        raise (
            HostError(reason)
            if host_fault(error)
            else UsageError(f"{reason}; give the file of a state dict")
        ) from error
    if start.sha256 not in ("", found):
        raise UsageError(f"{OPTION} {path}: its sha256 is {found[:12]}, not {start.sha256[:12]}")
    return f"sha256:{found} {path}"


@lru_cache(maxsize=256)
def _digest(path: Path, *state: int) -> str:
    """Return the SHA-256 of a file, computed once per `state` (time, size)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
