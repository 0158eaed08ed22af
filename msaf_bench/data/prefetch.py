"""Results made ahead of their use, in threads.

Threads suffice: Pillow, OpenCV, NumPy and zlib release the interpreter's lock while they decode,
resize, copy and check (measured in benchmarks/README.md).
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

DEPTH = 2  #: results per thread that are made or wait
MOST = 4  #: threads by default, at most: they feed a step of 0.1 s with clips of 0.05 CPU s


def default_threads(device: str, threads: int) -> int:
    """Return how many threads load data for a device beside `threads` that compute: on a GPU the
    cores that are left, up to `MOST`; none on a CPU, where the cores are the network's.
    """
    if not device.startswith("cuda"):
        return 0
    return max(0, min(MOST, usable_cores() - threads))


@contextmanager
def ahead(
    make: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Iterator[Result]]:
    """Return the results of `make` for some items, in their order.

    Without threads each is made when it is asked for. With threads up to `DEPTH` results for each
    thread are made before. What `make` raises is raised where its result is asked for. When the
    block ends, however it does, the calls under way are waited for and no thread is left.
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
