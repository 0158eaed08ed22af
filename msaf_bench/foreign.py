"""Code that is not ours: plug-ins and their components. What they print, and how they may end."""

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout, suppress

from msaf_bench.errors import ForeignError, Interrupted, Stopped, text_of

SLOW_S = 10  #: seconds after which a plug-in that is still loading is named


def ours(error: BaseException) -> bool:
    """Whether an error may end the program: a signal as our own handler raises it, or Ctrl-C where
    Python's handler is in place.
    """
    if isinstance(error, KeyboardInterrupt):
        return (
            isinstance(error, Interrupted)
            or signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
    return isinstance(error, Exception | Stopped)


@contextmanager
def guarded(what: str) -> Generator[None]:
    """Run foreign code, named in an error: its prints go to stderr.

    Raises `ForeignError` where it calls `sys.exit` or raises `KeyboardInterrupt` itself; a real
    Ctrl-C passes.
    """
    with to_stderr():
        try:
            yield
        except BaseException as error:
            if ours(error):
                raise
            raise ForeignError(f"{what}: {ending(error)}") from error


def ending(error: BaseException) -> str:
    """How foreign code ended, in words."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return f"it raised {type(error).__name__} {text_of(error)}".strip()


@contextmanager
def named_when_slow(text: str) -> Generator[None]:
    """Say on stderr what is being waited for when it takes longer than `SLOW_S`."""

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
    """Send what is written to standard output to standard error, also by other languages and child
    processes.
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
    """Let descriptor 1 lead to stderr; return a copy of what it was, None where one of the two is
    closed.
    """
    try:
        os.fstat(2)
        kept = os.dup(1)
    except OSError:
        return None
    os.dup2(2, 1)
    return kept
