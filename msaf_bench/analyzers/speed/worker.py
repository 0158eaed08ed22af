"""Worker process that builds systems and times them in rounds.

    python -m msaf_bench.analyzers.speed.worker

It reads a `Batch` as JSON from stdin. It prints lines of estimates and then a `WorkerReport` as one
line of JSON to stdout. If a system fails, the report holds the reason. If the whole process fails,
it prints one line to stderr.
"""

import contextlib
import copy
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from random import Random
from time import perf_counter
from typing import TextIO

import torch

from msaf_bench.analyzers.speed import cuda as speed_cuda
from msaf_bench.analyzers.speed.machine import (
    available_bytes,
    governor,
    peak_bytes,
    reset_peak,
    resident_bytes,
)
from msaf_bench.analyzers.speed.observation import (
    PEAK_CYCLES,
    Place,
    Ready,
    observe,
    one_line,
    result_of,
    wall_lap,
)
from msaf_bench.analyzers.speed.sampling import Taker, Turn, mean_ms
from msaf_bench.analyzers.speed.subject import prepare
from msaf_bench.analyzers.speed.tasks import Batch, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.worker_report import (
    ESTIMATE,
    PeakMemory,
    RunningMeans,
    SystemRun,
    WorkerReport,
)
from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.errors import BenchError
from msaf_bench.foreign import guarded
from msaf_bench.host import Host, usable_cores
from msaf_bench.spec import Scalar

#: share of the free memory for the networks of one process; frames need the other half
HELD = 0.5
TELL_S = 0.5  #: shortest time between two estimates, in seconds


def time_batch(
    batch: Batch, on_estimate: Callable[[RunningMeans], None] = lambda estimate: None
) -> WorkerReport:
    """Build as many systems as fit into memory, with random weights, and time them in rounds.

    `on_estimate` is called with the mean latencies so far.
    """
    conditions = batch.tasks[0].conditions
    torch.set_num_threads(conditions.threads)
    place = _place(conditions)
    taken = _take_in(batch.tasks, on_estimate)
    ready = {index: one for index, one in enumerate(taken) if isinstance(one, Ready)}
    gc.collect()
    gc.freeze()  # or a collection during a frame would traverse all networks
    ids = [task.id for task in batch.tasks]

    def estimate(turns: Mapping[int, Sequence[Turn]]) -> None:
        on_estimate(
            RunningMeans(
                means_ms=tuple((ids[i], mean_ms(each)) for i, each in turns.items() if each)
            )
        )

    with torch.inference_mode():
        seen = observe(
            {index: one.taker for index, one in ready.items()},
            place,
            Random(batch.number),
            estimate,
        )
        found = {index: result_of(one, seen[index], place) for index, one in ready.items()}
    return WorkerReport(
        results=tuple(
            one if isinstance(one, str) else found[index] for index, one in enumerate(taken)
        )
    )


def time_module(net: VideoNetwork, conditions: SpeedConditions) -> SystemRun | str:
    """Time a copy of a network in this process, with torch's current number of threads.

    Returns the run, or the reason why it failed. The network is not changed.
    """
    try:
        with guarded("the network"):
            copied = copy.deepcopy(net).eval().to(conditions.device)
            one = _prepared(copied, conditions)
            with torch.inference_mode():
                place = _place(conditions)
                seen = observe({0: one.taker}, place, Random(0))
                return result_of(one, seen[0], place)
    except BenchError:
        raise
    except Exception as error:  # noqa: BLE001  (any error becomes one line)
        return one_line(error)


def _place(conditions: SpeedConditions) -> Place:
    if conditions.device == "cpu":
        return Place(conditions, None, Host.here("cpu", torch.get_num_threads()), _facts())
    torch.cuda.set_device(torch.device(conditions.device).index or 0)
    gpu = speed_cuda.driver_of_current()
    host = Host.here(conditions.device, torch.get_num_threads(), torch.cuda.get_device_name())
    return Place(conditions, gpu, host, _facts() | speed_cuda.facts(gpu))


def _take_in(
    tasks: Sequence[SpeedTask],
    on_estimate: Callable[[RunningMeans], None] = lambda estimate: None,
) -> list[Ready | str]:
    """Prepare tasks in order until the networks fill their share of memory; at least one task.

    The time of the first frame of each task is reported as a first estimate.
    """
    first_ms: dict[str, float] = {}

    def ready(task: SpeedTask) -> Ready:
        one = _ready(task)
        first_ms[task.id] = one.subject.first_ms
        on_estimate(RunningMeans(means_ms=tuple(first_ms.items())))
        return one

    device = tasks[0].conditions.device
    with contextlib.suppress(Exception):
        ready(tasks[0])  # libraries allocate memory in the first frame; charge it to no system
    room, begin = HELD * _free(device), _held(device)
    taken: list[Ready | str] = []
    for task in tasks:
        try:
            taken.append(ready(task))
        except Exception as error:  # noqa: BLE001  (any error becomes one line)
            taken.append(one_line(error))
        if _held(device) - begin > room:
            break
    return taken


def _free(device: str) -> float:
    return available_bytes() if device == "cpu" else torch.cuda.mem_get_info()[0]


def _held(device: str) -> int:
    return (resident_bytes() or 0) if device == "cpu" else torch.cuda.memory_allocated()


def _ready(task: SpeedTask) -> Ready:
    """Build one system with random weights, ready to be timed."""
    conditions = task.conditions
    torch.manual_seed(0)
    net = build(task.system, task.num_classes, plugins=task.plugins).eval().to(conditions.device)
    return _prepared(net, conditions)


def _prepared(net: VideoNetwork, conditions: SpeedConditions) -> Ready:
    """Check a network's output and run a few frames for its peak memory."""
    cuda = conditions.device != "cpu"
    weights = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    reset_peak()
    built = speed_cuda.reset_memory() if cuda else resident_bytes()
    subject = prepare(net, conditions)
    taker = Taker(
        partial(
            wall_lap,
            tuple(subject.stages.values()),
            subject.feed,
            torch.cuda.synchronize if cuda else None,
        ),
        subject.cycle,
    )
    reset_peak()
    with torch.inference_mode():
        for _ in range(PEAK_CYCLES * subject.cycle):
            taker.take()
    if isinstance(built, speed_cuda.Held):
        return Ready(subject, taker, speed_cuda.memory(weights, built))
    peak = peak_bytes()
    above = None if peak is None or built is None else max(peak - built, 0)
    return Ready(
        subject,
        taker,
        PeakMemory(
            kind="resident, above the built network", weights_bytes=weights, peak_bytes=above
        ),
    )


def _facts() -> dict[str, Scalar]:
    return {
        "governor": governor(),
        "interop_threads": torch.get_num_interop_threads(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "usable_cores": usable_cores(),
    }


class _Teller:
    """Printer of estimates, at most one per `TELL_S`, as printing takes time from the systems."""

    def __init__(self, output: TextIO) -> None:
        self.output, self.told = output, -inf

    def tell(self, estimate: RunningMeans) -> None:
        if perf_counter() - self.told >= TELL_S:
            print(ESTIMATE + estimate.model_dump_json(), file=self.output, flush=True)
            self.told = perf_counter()


def main() -> int:
    """Read a batch, print estimates and the report, and return the exit code.

    On failure, print one line to stderr and return 1.
    """
    batch = Batch.model_validate_json(sys.stdin.read())
    # a copy of stdout, because the output of foreign code is redirected from stdout to stderr
    with os.fdopen(os.dup(1), "w") as output:
        try:
            with guarded("a component"):
                report = time_batch(batch, _Teller(output).tell)
        except Exception as error:  # noqa: BLE001  (any error becomes one line)
            print(one_line(error), file=sys.stderr)
            return 1
    print(report.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
