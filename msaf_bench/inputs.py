"""What a user gives: regular files, TOML of a bounded size and depth, names that become files."""

import errno
import re
import stat
import tomllib
from pathlib import Path
from typing import cast

from msaf_bench.errors import UsageError

LARGEST = 2**18  #: bytes of a TOML file: the largest of ours has 20,000
#: characters of a line of TOML; Python's reader takes the square of it for a dotted key
LONGEST = 4096
DEEPEST = 16  #: tables and lists inside each other; ours have 5
LONGEST_NAME = 120  #: bytes of a name in a path, which has room for 255 with what is added
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def regular(path: Path) -> Path:
    """The same path. Raises `OSError` where it is no regular file: a pipe would wait for ever, a
    device may never end.
    """
    if kind := _KINDS.get(stat.S_IFMT(path.stat().st_mode)):
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    return path


def read_toml(path: Path) -> dict[str, object]:
    """The content of a TOML file, with or without a byte-order mark. Raises `UsageError`, naming
    it.
    """
    try:
        if (size := regular(path).stat().st_size) > LARGEST:
            raise UsageError(f"{size} bytes; a file of at most {LARGEST} is read")
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
    """The content of TOML. Raises `UsageError` for text that is none, or is longer or deeper than
    any that makes sense here.
    """
    if len(text) > LARGEST or any(len(line) > LONGEST for line in text.splitlines()):
        raise UsageError(f"a line of more than {LONGEST} characters; break it up")
    try:
        content: dict[str, object] = tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"tables or lists more than {DEEPEST} deep") from error
    except (tomllib.TOMLDecodeError, ValueError) as error:  # Python limits the digits of an integer
        raise UsageError(str(error)) from error
    if _too_deep(content):
        raise UsageError(f"tables or lists more than {DEEPEST} deep")
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
    """A name from a file or an option as part of a path: it leads nowhere else, and is short enough
    for any file system.
    """
    plain = re.sub(r"[^\w-]+", "-", name)
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore") or "unnamed"
