"""Standard output of a command, safe for a full disk, a closed stream or a broken pipe."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO, TypeVar, cast

T = TypeVar("T")


class TerminalOutput:
    """A stream that keeps its first write error: later writes may succeed and still be lost."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text and return its number of characters."""
        return self._noted(lambda: self.stream.write(text))

    def flush(self) -> None:
        """Flush the buffer."""
        self._noted(self.stream.flush)

    def end(self) -> OSError | None:
        """Flush and return the first error.

        After an error the descriptor leads to the null device, so that the interpreter's
        own flush at exit cannot fail.
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
    """Watch standard output.

    If the caller closed it, descriptor 1 is taken, since a file opened later would otherwise
    receive the printed text.
    """
    stream = cast("TextIO | None", sys.stdout)
    if stream is None:
        # Stays open until the process ends.
        stream = open(os.open(os.devnull, os.O_RDONLY), "w", closefd=False)  # noqa: SIM115
    output = TerminalOutput(stream)
    with redirect_stdout(cast("TextIO", output)):
        yield output
