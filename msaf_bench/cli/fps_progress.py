"""Progress of `msaf-bench fps` on stderr: latencies so far and remaining time.

A terminal gets one line that is updated in place, other outputs an occasional plain line.
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
SHOWN = 2  #: maximum number of runs in a line
CLEAR = "\r\x1b[K"  #: control sequence that clears the current terminal line


def note(text: str) -> None:
    """Print a line in place of the current progress line."""
    with suppress(OSError):
        print(f"{CLEAR if sys.stderr.isatty() else ''}{text}", file=sys.stderr, flush=True)


@contextmanager
def estimates() -> Generator[Callable[[Mapping[str, float], "Progress"], None]]:
    """Yield a function that shows the mean latencies so far, in ms by run."""
    terminal = sys.stderr.isatty()
    spoken = -float(PLAIN_S)

    def show(means_ms: Mapping[str, float], progress: "Progress") -> None:
        nonlocal spoken
        line = progress_line(means_ms, progress)
        with suppress(OSError):  # a closed stderr must not stop the measurement
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
    """Return a line with the mean latency and FPS so far, the process and the remaining time."""
    shown = [
        f"{label} {ms:.4g} ms ({1000 / ms:.3g} FPS)" for label, ms in means_ms.items() if ms > 0
    ]
    more = f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return (
        f"so far: {', '.join(shown[:SHOWN])}{more}; process {progress.process} of"
        f" {progress.processes}, about {progress.left_s:.0f} s left"
    )
