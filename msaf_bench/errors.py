"""What can go wrong, by the exit code that the command line gives for it.

A message is one line: what is wrong, where, and what to do.
"""

import errno
from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 10  #: listed in an error
#: commands that print all names of a kind
LISTED = {
    "system": "list systems",
    "table": "list tables",
    "preset": "list presets",
    "name": "list",
    "condition": "show quick",
}
LONGEST_TEXT = 400  #: characters of what an error of other code says


class BenchError(Exception):
    """A failure with a message for the user; `exit_code` is what the process returns."""

    exit_code = 5


class UsageError(BenchError, ValueError):
    """The command, a spec or an option is wrong."""

    exit_code = 2


class DataError(BenchError):
    """A data folder or a file's content is wrong."""

    exit_code = 3


class IncompleteError(DataError):
    """A data set has less, or more, than its official description; made from a fact and a
    remedy.
    """

    def __str__(self) -> str:
        return "; ".join(self.args)

    @property
    def fact(self) -> str:
        """What is wrong, without the remedy."""
        return str(self.args[0])


class GateError(BenchError):
    """A check that guards a result did not hold."""

    exit_code = 4


class HostError(BenchError):
    """The machine cannot do it: a folder that cannot be written, a package that is not
    installed.
    """

    exit_code = 5


#: Errors of the system under which nothing else would fare better: full, read-only or lost storage,
#: no more handles.
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
    """The error of the host that an error is, or was raised from; None where there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in OF_THE_HOST:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def text_of(error: BaseException) -> str:
    """What an error says, in one line of at most `LONGEST_TEXT` characters; other code's may fail
    even at that.
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
    """Code that is not ours, a plug-in's or a component's, wanted to end the program."""


class Stopped(SystemExit):
    """A signal such as SIGTERM, raised by our own handler. A plain `SystemExit` comes from other
    code.
    """


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, raised by our own handler."""


def one_of(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is among `known`. Raises `UsageError` with the nearest names, or all of
    them; of more than `MOST_NAMES` that a command lists, with three and that command.
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
    """Return the one name among `known` that equals `name` except for upper and lower case; `name`
    as it is where none does, or several do.
    """
    names = tuple(known)
    if name in names:
        return name
    alike = [each for each in names if each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else name


def and_more(others: int, whole: int) -> str:
    """Return ", and 3 more of 6": how many things share the fault of the one that a message names.
    Empty if it is the only one.
    """
    return f", and {others} more of {whole}" if others > 0 else ""
