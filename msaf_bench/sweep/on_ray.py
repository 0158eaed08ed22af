# pyright: basic
"""The Ray executor: the same trials, several at a time, through Ray Tune. Nothing else imports Ray.

Ray only executes. Each trial writes its own record before Ray hears of it, so what Ray keeps of a
run is thrown away.

A cluster of our own answers on 127.0.0.1 alone and asks for a token that only its own processes
know.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msaf_bench.errors import BenchError, DataError, HostError, UsageError
from msaf_bench.files import lives
from msaf_bench.host import Host, utc_now
from msaf_bench.inherited import environment
from msaf_bench.records import Record, read_record, write_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.trial import run_trial
from msaf_bench.sweep.workspace import Setting

#: no usage report, no logger files, and Ctrl-C stays ours
VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
#: a cluster of our own asks for a token, and its workers are as nice as this process
OWN = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32),
    "RAY_worker_niceness": "0",
}

with environment(VARIABLES):  # Ray reads some when it is imported
    import ray
    from ray import tune
    from ray._private import ray_constants
    from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]

#: options of a connection: Ray's own errors are told by us, in one line
QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}
RETRIES = 2  #: of a trial whose worker died
REACH_S = 5  #: to reach a cluster's address
FOLDER = "msaf-bench-ray-"  #: of what Ray writes; the process's number and a random word follow
#: bytes of that folder's path: those of a socket's path, without what Ray appends
LONGEST = 103 - 63
START = (
    "start one with `ray start --head`, or set RAY_AUTH_MODE=token for one that asks for a token"
)
STOPS_ALL: Mapping[str, type[BenchError]] = {
    "UsageError": UsageError,
    "DataError": DataError,
    "HostError": HostError,
}


def run_on(trials: Sequence[Trial], setting: Setting, events: Events, cluster: Cluster) -> None:
    """Runs the trials; each leaves its record. A trial whose worker dies is tried again, then
    recorded as failed.

    Raises `UsageError` for a resource that the cluster does not have, `HostError` for a cluster
    that is not there.
    """
    variables = VARIABLES if cluster.address else VARIABLES | OWN
    with environment(variables), _scratch() as scratch:
        try:
            _join(cluster, setting, scratch)
            _check_resources(cluster, setting)
            finished = _fit(trials, setting, events, cluster, scratch / "tune")
        except BenchError:
            raise
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise HostError(f"Ray: {said[-1].strip()}; --on local does without it") from error
        finally:
            # a sweep that was stopped half-way may have lost its connection
            with suppress(OSError):
                ray.shutdown()
    for trial in trials:
        if trial.id not in finished:
            lost = Record(
                trial=trial,
                state="failed",
                reason=f"its worker died {RETRIES + 1} times",
                host=Host.here(setting.device, setting.threads),
                ended=utc_now(),
                data="",
                plugins=setting.plugins,
            )
            write_record(setting.workspace.records, lost)
            events.finished(lost)


@contextmanager
def _scratch() -> Generator[Path]:
    """A folder for what Ray writes, removed at the end; those that killed processes left are
    removed first.

    Raises `HostError` where no temporary folder has a path that is short enough for Ray's sockets.
    """
    name = f"{FOLDER}{os.getpid()}-{secrets.token_hex(3)}"
    bases = [Path(tempfile.gettempdir()), Path("/tmp")]
    short = [
        base
        for base in bases
        if len(os.fsencode(base / name)) <= LONGEST and os.access(base, os.W_OK)
    ]
    if not short:
        raise HostError(
            f"the temporary folder {bases[0]} has too long a path for Ray's sockets; set"
            " TMPDIR=/tmp, or add --on local"
        )
    for old in short[0].glob(f"{FOLDER}*"):
        process = old.name.removeprefix(FOLDER).partition("-")[0]
        if process.isdigit() and not lives(int(process)):
            shutil.rmtree(old, ignore_errors=True)
    folder = short[0] / name
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise HostError(
            f"cannot write {folder}: {error.strerror}; set TMPDIR to a folder that can be written"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _join(cluster: Cluster, setting: Setting, scratch: Path) -> None:
    ours = signal.getsignal(signal.SIGTERM)
    try:
        if cluster.address is None:
            _start(cluster, setting, scratch)
        else:
            _connect(cluster.address)
    finally:
        # Ray's own handler prints a stack and ends with another exit code
        signal.signal(signal.SIGTERM, ours)


def _start(cluster: Cluster, setting: Setting, scratch: Path) -> None:
    """Starts a cluster of our own, for this machine's own ears."""
    Config.initialize("")  # Ray has read its environment before
    ray_constants.ENABLE_RAY_CLUSTER = False  # what makes Ray listen on the loopback interface only
    cpus = cluster.workers * setting.cores if cluster.workers else None
    ray.init(
        address="local", include_dashboard=False, num_cpus=cpus, _temp_dir=str(scratch), **QUIET
    )


def _connect(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), REACH_S).close()
        except OSError as error:
            raise HostError(f"no Ray cluster at {address} ({error}); {START}") from error
    try:
        ray.init(address=address, **QUIET)
    except (ConnectionError, ValueError) as error:
        raise HostError(
            f"no Ray cluster at {address} ({str(error).splitlines()[0]}); {START}"
        ) from error


def _check_resources(cluster: Cluster, setting: Setting) -> None:
    # Ray would let a trial that can never be placed wait for ever, without a word.
    if setting.device.startswith("cuda") and not cluster.gpus:
        raise UsageError(
            f"--device {setting.device} on Ray needs --gpus-per-trial, such as 1 or 0.5: Ray hides"
            " GPUs that a trial did not ask for"
        )
    wanted = {"CPU": setting.cores, "GPU": cluster.gpus}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(name, 0) >= count for name, count in wanted.items()) for node in nodes):
        largest = max(nodes, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)), default={})
        needs, has = (
            " and ".join(f"{of.get(name, 0):g} {name}" for name in wanted)
            for of in (wanted, largest)
        )
        raise UsageError(
            f"a trial needs {needs} on one node, the largest of the cluster has {has}; lower"
            " --threads, --loader-threads or --gpus-per-trial"
        )


def _fit(
    trials: Sequence[Trial], setting: Setting, events: Events, cluster: Cluster, storage: Path
) -> set[str]:
    """Gives the ids of the trials that left a record."""
    listener = _Listener(trials, setting, events)
    space = {"index": tune.grid_search(list(range(len(trials))))}
    work = tune.with_parameters(_work, trials=list(trials), setting=setting)
    tuner = tune.Tuner(
        tune.with_resources(work, {"cpu": setting.cores, "gpu": cluster.gpus}),
        param_space=space,
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=cluster.workers),
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
    return listener.finished


def _work(config: dict[str, int], trials: list[Trial], setting: Setting) -> None:
    """Runs in a worker."""
    trial = trials[config["index"]]
    if not setting.workspace.folder.is_dir():
        tune.report(
            {
                "fatal": "HostError",
                "text": (
                    f"a worker does not see {setting.workspace.folder}; put --reports on a shared"
                    " folder"
                ),
            }
        )
        return
    try:
        record = run_trial(
            trial,
            setting,
            lambda step, loss: tune.report({"step": step, "loss": loss}),
            lambda text: tune.report({"note": text}),
            lambda step, miou: tune.report({"step": step, "validation": miou}),
        )
        tune.report({"state": record.state})
    except BenchError as error:
        kind = next(name for name, known in STOPS_ALL.items() if isinstance(error, known))
        tune.report({"fatal": kind, "text": str(error)})


class _Listener(tune.Callback):
    """Turns what workers report into events."""

    def __init__(self, trials: Sequence[Trial], setting: Setting, events: Events) -> None:
        self.trials, self.setting, self.events = trials, setting, events
        self.fatal: BenchError | None = None
        self.finished: set[str] = set()

    def __getstate__(self) -> dict[str, object]:
        # Ray pickles callbacks into its own record of the run, which nobody reads; a progress
        # display cannot be pickled.
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: object
    ) -> None:
        ours = self.trials[trial.config["index"]]
        if "fatal" in result:
            self.fatal = STOPS_ALL[result["fatal"]](result["text"])
            raise self.fatal
        if "note" in result:
            self.events.note(result["note"])
        elif "state" in result:
            self.finished.add(ours.id)
            self.events.finished(read_record(self.setting.workspace.record(ours)))
        elif "validation" in result:
            self.events.validated(ours, result["step"], result["validation"])
        else:
            self.events.step(ours, result["step"], result["loss"])
