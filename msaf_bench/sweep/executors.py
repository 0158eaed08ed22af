"""Executors of trials: one at a time in this process, or several at a time on Ray."""

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
    """The Ray cluster that runs trials, and the resources of each trial."""

    address: str | None = None  #: address of a running cluster; None: start one on this machine
    workers: int | None = None  #: number of concurrent trials; None: as many as fit
    gpus: float = 0.0  #: GPUs per trial; a fraction shares one GPU

    @property
    def processes(self) -> int:
        """Number of processes that train one trial together, each with one GPU."""
        return max(1, int(self.gpus))

    @property
    def drives_only(self) -> bool:
        """Whether the driver trains nothing itself.

        It may then lack an accelerator, or memory for a whole batch.
        """
        return self.address is not None or self.processes > 1


@dataclass(frozen=True)
class Stops:
    """Rule that stops trials early, by their validation mIoU."""

    kind: Stopping  #: asha: the worse half at 1, 2, 4, ... validations; median: below the median
    groups: Mapping[str, str]  #: group by trial id; trials are compared only within their group
    every: int  #: steps between two validations
    #: validation curves of an earlier call's trials by id, for comparison; they do not run again
    heard: Mapping[str, Sequence[tuple[int, float]]]


def cluster_of(
    on: str | None, address: str | None, workers: int | None, gpus: float
) -> Cluster | None:
    """Return the cluster that runs the trials; None for this process.

    Args:
        on: "ray" or "local". Default: Ray if it is installed.
        address: Address of a running cluster.
        workers: Number of concurrent trials.
        gpus: GPUs per trial; a whole number if above 1.

    Raises:
        UsageError: The executor is unknown, an option needs Ray, or the number of GPUs is not
            valid.
    """
    if on is not None:
        one_of("executor", on, EXECUTORS)
    if on == "local" and (address or workers or gpus):
        raise UsageError("--address, --workers and --gpus-per-trial need --on ray")
    if gpus > 1 and gpus != int(gpus):
        raise UsageError(
            f"--gpus-per-trial {gpus:g}: must be whole above 1, one GPU per process of a trial;"
            f" use {int(gpus)} or {int(gpus) + 1}"
        )
    if process_rank() is not None:
        if on == "ray":
            raise UsageError("torchrun runs one trial at a time; use --on local")
        return None
    if on == "ray" or (on is None and find_spec("ray")):
        return Cluster(address, workers, gpus)
    return None


def at_once(cluster: Cluster | None, cores: int) -> int:
    """Return the number of concurrent trials with `cores` each, estimated from this machine."""
    if cluster is None:
        return 1
    return cluster.workers or max(1, (os.cpu_count() or 1) // (cores * cluster.processes))


def run_here(trials: Sequence[Trial], setting: Setting, events: Events) -> None:
    """Run the trials in this process and those that follow it; each trial leaves its record."""
    from msaf_bench.sweep.following import lead  # imports torch, which a plan does not need

    for trial in trials:
        heard = partial(events.step, trial), events.note, partial(events.validated, trial)
        events.finished(lead(trial, setting, *heard))


def execute_on(cluster: Cluster | None, stops: Stops | None = None) -> Execute:
    """Return the function that runs trials on a cluster, where they can stop early, or here.

    Raises `HostError` if Ray cannot be imported.
    """
    if cluster is None:
        return run_here
    try:
        from msaf_bench.sweep import on_ray
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise HostError(
            f"Ray cannot be imported ({said}); install msaf-bench's requirements, or use --on local"
        ) from error
    return partial(on_ray.run_on, cluster=cluster, stops=stops)
