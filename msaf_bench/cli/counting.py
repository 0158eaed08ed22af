"""Progress of a count on stderr: a bar in a terminal, otherwise occasional plain lines."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from msaf_bench.cli.progress import PLAIN_S, say


@contextmanager
def counting(what: str, total: int) -> Generator[Callable[[], None]]:
    """Yield a function to call after each of `total` items; `what` labels the count."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=total)
        done, spoken = 0, time.monotonic()

        def step() -> None:
            nonlocal done, spoken
            done += 1
            bars.advance(task)
            if not console.is_terminal and time.monotonic() - spoken > PLAIN_S:
                say(console, f"{what} {done}/{total}")
                spoken = time.monotonic()

        yield step
