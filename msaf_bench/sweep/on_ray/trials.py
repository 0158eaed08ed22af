# pyright: basic
"""Trials on Ray Tune: resources, messages to the driver, and their events."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import tune

from msaf_bench.errors import BenchError
from msaf_bench.records import read_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster, Stops
from msaf_bench.sweep.on_ray.processes import STOPS_ALL, run_in
from msaf_bench.sweep.on_ray.resources import bundle, room
from msaf_bench.sweep.on_ray.stopping import GroupScheduler
from msaf_bench.sweep.workspace import Setting

RETRIES = 2  #: maximum restarts of a trial after its worker died


def fit(
    trials: Sequence[Trial],
    setting: Setting,
    events: Events,
    cluster: Cluster,
    storage: Path,
    stops: Stops | None = None,
) -> "TuneListener":
    """Run the trials, as many at a time as fit; return the listener with their outcomes.

    The processes of a trial are reserved all together or not at all, on one node if they fit. So
    waiting trials hold no resources and cannot block each other.

    Args:
        trials: Trials to run.
        setting: Folder, device and threads of the trials.
        events: Receives the progress.
        cluster: Ray cluster and resources per trial.
        storage: Folder of Tune's own files.
        stops: Rule that stops trials early. Trials of its earlier calls only report their curves
            again.
    """
    listener = TuneListener(trials, setting, events, cluster)
    heard = stops.heard if stops else {}
    order = [*range(len(trials), len(trials) + len(heard)), *range(len(trials))]
    space = {"index": tune.grid_search(order)}
    work = tune.with_parameters(
        _work,
        trials=list(trials),
        setting=setting,
        processes=cluster.processes,
        curves=list(heard.values()),
    )
    scheduler = None
    if stops:
        last = [trial.conditions.steps for trial in trials]
        last += [curve[-1][0] + 1 if curve else 1 for curve in heard.values()]
        scheduler = GroupScheduler(stops, [*(trial.id for trial in trials), *heard], last)
    bundles = [bundle(cluster, setting)] * cluster.processes
    tuner = tune.Tuner(
        tune.with_resources(work, tune.PlacementGroupFactory(bundles, strategy="PACK")),
        param_space=space,
        tune_config=tune.TuneConfig(
            # a process that was in a process group cannot be reused
            reuse_actors=cluster.processes == 1,
            max_concurrent_trials=cluster.workers,
            scheduler=scheduler,
        ),
        run_config=tune.RunConfig(
            storage_path=str(storage),
            name="sweep",
            verbose=0,
            callbacks=[listener],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    )
    try:
        tuner.fit()
    except Exception:
        if listener.fatal is None:
            raise
    if listener.fatal is not None:
        raise listener.fatal
    return listener


def _work(
    config: dict[str, int],
    trials: list[Trial],
    setting: Setting,
    processes: int,
    curves: list[Sequence[tuple[int, float]]],
) -> None:
    """Run one trial in a worker; a trial of an earlier call only reports its curve again."""
    index = config["index"]
    if index < len(trials):
        tune.report(run_in(processes, trials[index], setting, tune.report))
        return
    for step, miou in curves[index - len(trials)]:
        tune.report({"step": step, "validation": miou})


class TuneListener(tune.Callback):
    """Turns the messages of workers into events."""

    def __init__(
        self, trials: Sequence[Trial], setting: Setting, events: Events, cluster: Cluster
    ) -> None:
        self.trials, self.setting, self.events = trials, setting, events
        self.cluster = cluster
        self.fatal: BenchError | None = None
        self.finished: set[str] = set()  #: ids of the trials that left a record
        self.stopped: set[str] = set()  #: ids of the trials that were stopped early
        self.lost: dict[str, str] = {}  #: reason of a lost process, by trial id

    def __getstate__(self) -> dict[str, object]:
        # Ray pickles callbacks into its own files of the run, which are not used; a progress
        # display cannot be pickled.
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: object
    ) -> None:
        """Handle one message of a worker."""
        if trial.config["index"] >= len(self.trials):  # a trial of an earlier call
            return
        ours = self.trials[trial.config["index"]]
        if "fatal" in result:
            self.fatal = STOPS_ALL[result["fatal"]](result["text"])
            raise self.fatal
        if "note" in result:
            self.events.note(result["note"])
        elif "lost" in result:
            self.lost[ours.id] = result["lost"]
        elif "state" in result:
            self.finished.add(ours.id)
            self.events.finished(read_record(self.setting.workspace.record(ours)))
        elif "validation" in result:
            self.events.validated(ours, result["step"], result["validation"])
        else:
            self.events.step(ours, result["step"], result["loss"])

    def on_trial_complete(
        self, iteration: int, trials: list[Any], trial: Any, **info: object
    ) -> None:
        """Handle the end of a trial. Without a record, its scheduler stopped it."""
        index = trial.config["index"]
        if index < len(self.trials) and self.trials[index].id not in self.finished:
            self.stopped.add(self.trials[index].id)

    def on_trial_recover(
        self, iteration: int, trials: list[Any], trial: Any, **info: object
    ) -> None:
        """Note that a trial is restarted, and that it waits if no node has room."""
        if trial.config["index"] >= len(self.trials):
            return
        ours = self.trials[trial.config["index"]]
        why = self.lost.pop(ours.id, "its worker died")
        self.events.note(f"trial {ours.id}, seed {ours.seed}: {why}; trying again")
        free = sum(room(self.cluster, self.setting).values())
        if free < self.cluster.processes:
            self.events.note(
                f"the cluster has room for {free} of a trial's {self.cluster.processes} processes;"
                " trials wait until a node joins"
            )
