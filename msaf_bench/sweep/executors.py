"""Where trials run: one after the other in this process, or several at a time on Ray."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Literal

from msaf_bench.errors import HostError, UsageError, one_of
from msaf_bench.inherited import process_rank
from msaf_bench.spec import Trial
from msaf_bench.spec.search import Stopping
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.workspace import Setting

Executor = Literal["ray", "local"]
EXECUTORS: tuple[Executor, ...] = ("ray", "local")
Execute = Callable[[Sequence[Trial], Setting, Events], None]


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster that trials run on, and what each takes of it."""

    address: str | None = None  #: None: start one on this machine
    workers: int | None = None  #: trials at a time; None: as many as fit
    gpus: float = 0.0  #: of each trial; a fraction shares one

    @property
    def processes(self) -> int:
        """Number of processes that train one trial together, each with one GPU."""
        return max(1, int(self.gpus))

    @property
    def drives_only(self) -> bool:
        """Whether the driver trains nothing itself: it may have no accelerator of its own, nor room
        for a whole batch.
        """
        return self.address is not None or self.processes > 1


@dataclass(frozen=True)
class Stops:
    """How trials are stopped early, by the mIoU that they reach when they are validated."""

    kind: Stopping  #: asha: the worse half at 1, 2, 4, ... validations; median: below the median
    groups: Mapping[str, str]  #: a trial is compared with those of its group alone, by id
    every: int  #: steps between two validations
    #: what trials of an earlier call reached, by id: they are compared with, and not run again
    heard: Mapping[str, Sequence[tuple[int, float]]]


def cluster_of(
    on: str | None, address: str | None, workers: int | None, gpus: float
) -> Cluster | None:
    """Return the cluster that trials run on, None for this process alone.

    `on` names the executor; None takes Ray where it is installed. Raises `UsageError` for an
    unknown executor, where what only Ray knows is given to the other, and for a number of GPUs
    above 1 that is not whole.
    """
    if on is not None:
        one_of("executor", on, EXECUTORS)
    if on == "local" and (address or workers or gpus):
        raise UsageError("--address, --workers and --gpus-per-trial need --on ray")
    if gpus > 1 and gpus != int(gpus):
        raise UsageError(
            f"--gpus-per-trial {gpus:g}: above 1 it is a whole number, one GPU for each process of"
            f" a trial; use {int(gpus)} or {int(gpus) + 1}"
        )
    if process_rank() is not None:
        if on == "ray":
            raise UsageError("torchrun started this: one trial at a time; give --on local")
        return None
    if on == "ray" or (on is None and find_spec("ray")):
        return Cluster(address, workers, gpus)
    return None


def at_once(cluster: Cluster | None, cores: int) -> int:
    """Return how many trials of so many cores run at a time, as far as this machine can tell."""
    if cluster is None:
        return 1
    return cluster.workers or max(1, (os.cpu_count() or 1) // (cores * cluster.processes))


def run_here(trials: Sequence[Trial], setting: Setting, events: Events) -> None:
    """Run the trials in this process, and in those that follow it; each leaves its record."""
    from msaf_bench.sweep.following import lead  # with torch: a plan is printed without it

    for trial in trials:
        heard = partial(events.step, trial), events.note, partial(events.validated, trial)
        events.finished(lead(trial, setting, *heard))


def execute_on(cluster: Cluster | None, stops: Stops | None = None) -> Execute:
    """Return the function that runs trials there; on Ray they may be stopped early. Raises
    `HostError` if Ray cannot be imported.
    """
    if cluster is None:
        return run_here
    try:
        from msaf_bench.sweep import on_ray
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise HostError(
            f"Ray cannot be imported ({said}); install msaf-bench's own requirements or use --on"
            " local"
        ) from error
    return partial(on_ray.run_on, cluster=cluster, stops=stops)
