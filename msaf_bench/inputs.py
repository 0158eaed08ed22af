"""Input from users: regular files, TOML of limited size and depth, names used in paths."""

import errno
import re
import stat
import tomllib
from pathlib import Path
from typing import cast

from msaf_bench.errors import UsageError

LARGEST = 2**18  #: maximum size of a TOML file in bytes; our largest has 20,000
#: maximum line length of TOML in characters: Python's parser needs quadratic time for dotted keys
LONGEST = 4096
DEEPEST = 16  #: maximum nesting of tables and lists; ours have 5 levels
LONGEST_NAME = 120  #: maximum name length in bytes; a path component has 255, prefixes included
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def regular(path: Path) -> Path:
    """Return the path if it is a regular file; raise `OSError` otherwise.

    Reading from a pipe would wait for ever, and a device may never end.
    """
    if kind := _KINDS.get(stat.S_IFMT(path.stat().st_mode)):
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    return path


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file, with or without a byte-order mark.

    Raises `UsageError`, naming the file, if it cannot be read or is not valid.
    """
    try:
        if (size := regular(path).stat().st_size) > LARGEST:
            raise UsageError(f"{size} bytes; the limit is {LARGEST} bytes")
        return parse_toml(path.read_text("utf-8-sig"))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except ValueError as error:  # a null byte in the name
        raise UsageError(f"{str(path)!r:.100}: {error}") from error


def parse_toml(text: str) -> dict[str, object]:
    """Return the content of a TOML text.

    Raises `UsageError` if the text is not TOML, or if it is longer or deeper than the limits.
    """
    if len(text) > LARGEST or any(len(line) > LONGEST for line in text.splitlines()):
        raise UsageError(f"a line longer than {LONGEST} characters; break it up")
    try:
        content: dict[str, object] = tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"tables or lists nested more than {DEEPEST} deep") from error
    except (tomllib.TOMLDecodeError, ValueError) as error:  # Python limits the digits of an integer
        raise UsageError(str(error)) from error
    if _too_deep(content):
        raise UsageError(f"tables or lists nested more than {DEEPEST} deep")
    return content


def _too_deep(content: object) -> bool:
    level: list[object] = [content]
    for _ in range(DEEPEST + 1):
        inside: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inside += cast("dict[str, object]", value).values()
            elif isinstance(value, list):
                inside += cast("list[object]", value)
        level = inside
    return bool(level)


def file_name(name: str) -> str:
    """Return a name from a file or an option as one safe path component.

    It cannot leave its folder, and is short enough for any file system.
    """
    plain = re.sub(r"[^\w-]+", "-", name)
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore") or "unnamed"
