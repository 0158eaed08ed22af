"""Prefetching of results in threads.

Threads suffice: Pillow, OpenCV, NumPy and zlib release the interpreter's lock while they decode,
resize, copy and checksum (measured in benchmarks/README.md).
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from msaf_bench.host import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

DEPTH = 2  #: results per thread in progress or waiting
MOST = 4  #: upper limit of the default: enough for steps of 0.1 s and clips of 0.05 CPU s


def default_threads(device: str, threads: int) -> int:
    """Return the default number of loader threads beside `threads` compute threads.

    On a GPU, uses the remaining cores, up to `MOST`. On a CPU there are no loader threads; the
    network needs the cores.
    """
    if not device.startswith("cuda"):
        return 0
    return max(0, min(MOST, usable_cores() - threads))


@contextmanager
def ahead(
    make: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Iterator[Result]]:
    """Return the results of `make` for some items, in their order.

    Without threads, each result is made on request. With threads, up to `DEPTH` results per thread
    are made in advance. An error in `make` is raised when its result is requested. However the
    block ends, it waits for the calls in progress and leaves no thread running.
    """
    if not threads:
        yield map(make, items)
        return
    pool = ThreadPoolExecutor(threads, "msaf-bench-loader")
    try:
        yield _in_order(pool, make, iter(items), DEPTH * threads)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor,
    make: Callable[[Item], Result],
    items: Iterator[Item],
    depth: int,
) -> Iterator[Result]:
    waiting = deque(pool.submit(make, item) for item in islice(items, depth))
    while waiting:
        first = waiting.popleft()
        waiting.extend(pool.submit(make, item) for item in islice(items, 1))
        yield first.result()
