"""Standard output of a command, which may be full, closed, or a pipe that nobody reads any more."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO, TypeVar, cast

T = TypeVar("T")


class TerminalOutput:
    """A stream that remembers the first error of writing to it: later writes may pass and be lost
    all the same.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text."""
        return self._noted(lambda: self.stream.write(text))

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._noted(self.stream.flush)

    def end(self) -> OSError | None:
        """Flush; give the first error. After one, nothing more is tried, not at the end of the
        interpreter either.
        """
        with suppress(OSError):
            self.flush()
        if self.fault:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        return self.fault

    def _noted(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except OSError as error:
            self.fault = self.fault or error
            raise

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@contextmanager
def watched_output() -> Generator[TerminalOutput]:
    """Watch standard output. Where the caller closed it, descriptor 1 is taken: a file opened later
    would get what is printed.
    """
    stream = cast("TextIO | None", sys.stdout)
    if stream is None:
        # Open as long as the process is.
        stream = open(os.open(os.devnull, os.O_RDONLY), "w", closefd=False)  # noqa: SIM115
    output = TerminalOutput(stream)
    with redirect_stdout(cast("TextIO", output)):
        yield output
