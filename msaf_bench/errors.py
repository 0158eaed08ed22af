"""Errors, by the exit code of the command line.

A message is one line: the fault, its place and the remedy.
"""

import errno
from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 10  #: maximum number of names in an error
#: command that lists all names, by the kind of name
LISTED = {
    "system": "list systems",
    "table": "list tables",
    "preset": "list presets",
    "name": "list",
    "condition": "show quick",
}
LONGEST_TEXT = 400  #: maximum length of a message from other code, in characters


class BenchError(Exception):
    """A failure with a message for the user; the process returns `exit_code`."""

    exit_code = 5


class UsageError(BenchError, ValueError):
    """The command, a spec or an option is wrong."""

    exit_code = 2


class DataError(BenchError):
    """A data folder or the content of a file is wrong."""

    exit_code = 3


class IncompleteError(DataError):
    """A data set holds less or more than its official description.

    Made from a fact and a remedy.
    """

    def __str__(self) -> str:
        return "; ".join(self.args)

    @property
    def fact(self) -> str:
        """The error without the remedy."""
        return str(self.args[0])


class GateError(BenchError):
    """A check that guards a result failed."""

    exit_code = 4


class HostError(BenchError):
    """The machine cannot do it: a folder is not writable, or a package is not installed."""

    exit_code = 5


#: System errors that every other trial here would meet too: full, read-only or lost storage, no
#: free handles.
OF_THE_HOST = frozenset(
    getattr(errno, name)
    for name in (
        "ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "EMFILE", "ENFILE", "ENODEV", "ENXIO",
        "ENOTCONN", "ESHUTDOWN", "EHOSTDOWN",
        "ETIMEDOUT", "EREMOTEIO",
    )
    if hasattr(errno, name)
)  # fmt: skip


def host_fault(error: BaseException | None) -> OSError | None:
    """Return the host's error behind an error, or None.

    It is the error itself or one of its causes.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in OF_THE_HOST:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def text_of(error: BaseException) -> str:
    """Return an error's message in one line of at most `LONGEST_TEXT` characters.

    An error from other code may fail to print; a fixed text stands for it.
    """
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001
        text = "it cannot be printed"
    return (
        text
        if len(text) <= LONGEST_TEXT
        else f"{text[: LONGEST_TEXT // 2]}...{text[-LONGEST_TEXT // 3 :]}"
    )


class LockedError(BenchError):
    """Another process is at work in the same folder."""

    exit_code = 6


class ForeignError(UsageError):
    """Code from outside, a plug-in or one of its components, tried to end the program."""


class Stopped(SystemExit):
    """A signal such as SIGTERM, raised by our own handler.

    A plain `SystemExit` comes from other code.
    """


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, raised by our own handler."""


def one_of(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is among `known`; otherwise raise `UsageError` with a hint.

    The hint names similar names if there are any, else all names. With more than `MOST_NAMES` names
    and a command that lists them, it gives the three nearest and that command.
    """
    names = sorted(known)
    if name in names:
        return name
    near = get_close_matches(name, names, 3, 0.6)
    if near:
        hint = f"did you mean {', '.join(near)}?"
    elif len(names) > MOST_NAMES and what in LISTED:
        nearest = ", ".join(get_close_matches(name, names, 3, 0))
        hint = f"the nearest of {len(names)} are {nearest}; `msaf-bench {LISTED[what]}` prints all"
    else:
        hint = f"choose one of: {', '.join(names)}"
    raise UsageError(f"unknown {what} {name!r}; {hint}")


def in_any_case(name: str, known: Iterable[str]) -> str:
    """Return the one name among `known` that equals `name` up to upper and lower case.

    Returns `name` unchanged if none or several match.
    """
    names = tuple(known)
    if name in names:
        return name
    alike = [each for each in names if each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else name


def and_more(others: int, whole: int) -> str:
    """Return a count of further things with the same fault, such as ", and 3 more of 6".

    Empty if the named thing is the only one.
    """
    return f", and {others} more of {whole}" if others > 0 else ""
