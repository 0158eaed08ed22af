"""Progress of `msaf-bench fps` on stderr: the numbers so far and the time left, in one line that is
written anew in a terminal, in a line now and then elsewhere.
"""

import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msaf_bench.analyzers.speed.processes import Progress

PLAIN_S = 3  #: seconds between two plain lines
SHOWN = 2  #: runs that a line has room for
CLEAR = "\r\x1b[K"  #: takes back the line of a terminal


def note(text: str) -> None:
    """Print a line, in place of the one that shows the means."""
    with suppress(OSError):
        print(f"{CLEAR if sys.stderr.isatty() else ''}{text}", file=sys.stderr, flush=True)


@contextmanager
def estimates() -> Generator[Callable[[Mapping[str, float], "Progress"], None]]:
    """Give the function that shows the means so far, in ms by run."""
    terminal = sys.stderr.isatty()
    spoken = -float(PLAIN_S)

    def show(means_ms: Mapping[str, float], progress: "Progress") -> None:
        nonlocal spoken
        line = progress_line(means_ms, progress)
        with suppress(OSError):  # progress that nobody reads stops nothing
            if terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"{CLEAR}{line:.{width}}", end="", file=sys.stderr, flush=True)
            elif time.monotonic() - spoken >= PLAIN_S:
                print(line, file=sys.stderr, flush=True)
                spoken = time.monotonic()

    try:
        yield show
    finally:
        with suppress(OSError):
            print(CLEAR if terminal else "", end="", file=sys.stderr, flush=True)


def progress_line(means_ms: Mapping[str, float], progress: "Progress") -> str:
    """Return the mean latency and FPS of the runs so far, then process and time left."""
    shown = [
        f"{label} {ms:.4g} ms ({1000 / ms:.3g} FPS)" for label, ms in means_ms.items() if ms > 0
    ]
    more = f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return (
        f"so far: {', '.join(shown[:SHOWN])}{more}; process {progress.process} of"
        f" {progress.processes}, about {progress.left_s:.0f} s left"
    )
