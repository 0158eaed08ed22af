"""Code from outside: how plug-ins and their components may print and end."""

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout, suppress

from msaf_bench.errors import ForeignError, Interrupted, Stopped, text_of

SLOW_S = 10  #: seconds until a plug-in that is still loading is named on stderr


def ours(error: BaseException) -> bool:
    """Return whether an error may end the program.

    It may if our own handler raised it for a signal, or if it is Ctrl-C under Python's own handler.
    """
    if isinstance(error, KeyboardInterrupt):
        return (
            isinstance(error, Interrupted)
            or signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
    return isinstance(error, Exception | Stopped)


@contextmanager
def guarded(what: str) -> Generator[None]:
    """Run foreign code with its output on stderr; `what` names it in errors.

    Raises `ForeignError` if it calls `sys.exit` or itself raises `KeyboardInterrupt`. A real Ctrl-C
    passes.
    """
    with to_stderr():
        try:
            yield
        except BaseException as error:
            if ours(error):
                raise
            raise ForeignError(f"{what}: {ending(error)}") from error


def ending(error: BaseException) -> str:
    """Return in words how foreign code ended."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return f"it raised {type(error).__name__} {text_of(error)}".strip()


@contextmanager
def named_when_slow(text: str) -> Generator[None]:
    """Print a text on stderr if the block takes longer than `SLOW_S`."""

    def say() -> None:
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)

    timer = threading.Timer(SLOW_S, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def to_stderr() -> Generator[None]:
    """Send standard output to standard error.

    This includes the output of other languages and of child processes.
    """
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    kept = _swapped()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _swapped() -> int | None:
    """Redirect descriptor 1 to stderr and return a copy of the original.

    Returns None if one of the two is closed.
    """
    try:
        os.fstat(2)
        kept = os.dup(1)
    except OSError:
        return None
    os.dup2(2, 1)
    return kept
