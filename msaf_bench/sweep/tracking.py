"""Events of a sweep, sent to trackers as numbers by name and step."""

import os
import re
import secrets
import socket
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msaf_bench.analyzers.miou import miou
from msaf_bench.errors import HostError, one_of, text_of
from msaf_bench.files import write_atomic
from msaf_bench.foreign import to_stderr
from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events, Silent, Together
from msaf_bench.sweep.plan import PRETRAINING_SEED, Plan
from msaf_bench.sweep.trackers import Csv, Mlflow, TensorBoard, Tracked, Tracker, Wandb

#: factory of each tracker; the argument is the folder to write to
TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "tensorboard": TensorBoard,
    "csv": Csv,
    "wandb": Wandb,
    "mlflow": Mlflow,
}
PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
FOLDER = "track"  #: name of the trackers' folder in the folder of a run
REACH_S = 5  #: time limit in seconds for a server's answer before the training


def check_trackers(names: Iterable[str]) -> None:
    """Check that trackers can be used.

    Raises `UsageError` for an unknown name, and `HostError` if a package is not installed or a
    service does not answer.
    """
    checks = {"wandb": _check_wandb, "mlflow": _check_mlflow}
    for name in names:
        one_of("tracker", name, TRACKERS)
        package = PACKAGES.get(name)
        if package and find_spec(package) is None:
            raise HostError(
                f"--track {name}: {package} is not installed; pip install 'msaf-bench[track]'"
            )
        if name in checks:
            try:
                with to_stderr():
                    checks[name]()
            except Exception as error:
                raise HostError(f"--track {name}: {text_of(error)}") from error


def _check_wandb() -> None:
    wandb: Any = import_module("wandb")
    away = "run `wandb login`, or set WANDB_MODE=offline"
    if os.environ.get("WANDB_MODE", "online") != "online":
        return
    try:
        known = wandb.login(prompt=False, timeout=REACH_S)
    except Exception as error:
        raise HostError(f"{text_of(error)}; {away}") from error
    if not known:
        raise HostError(f"not logged in; {away}")


def _check_mlflow() -> None:
    mlflow: Any = import_module("mlflow")
    if not mlflow.is_tracking_uri_set():
        if find_spec("sqlalchemy") is None:
            raise HostError(
                "no MLFLOW_TRACKING_URI is set, and its own database needs SQLAlchemy; pip install"
                " mlflow"
            )
        return
    uri = urlsplit(str(mlflow.get_tracking_uri()))
    if uri.scheme in ("http", "https") and uri.hostname:
        port = uri.port or {"http": 80, "https": 443}[uri.scheme]
        try:
            socket.create_connection((uri.hostname, port), REACH_S).close()
        except OSError as error:
            raise HostError(
                f"no server at MLFLOW_TRACKING_URI {uri.geturl()} ({error}); start it, or unset"
                " the variable"
            ) from error


@contextmanager
def tracked(events: Events, names: Iterable[str], folder: Path) -> Generator[Events]:
    """Yield events that trackers receive too.

    The trackers write to the `folder` of a run, and are closed at the end of the block.
    """
    if not names:
        yield events
        return
    tracking = Tracking(names, folder / FOLDER, events.note)
    try:
        yield Together((events, tracking))
    finally:
        tracking.close()


class Tracking(Silent):
    """Sends the numbers of every trial to trackers.

    A tracker that fails is reported in a note and receives nothing more.
    """

    def __init__(self, names: Iterable[str], folder: Path, note: Callable[[str], None]) -> None:
        self._folder, self._note = folder, note
        self._labels: dict[str, str] = {}  # label by trial id
        self._trials: dict[str, Tracked] = {}
        self._last: dict[str, int] = {}  # latest step by trial id
        self._ended: set[str] = set()
        self._trackers: dict[str, Tracker] = {}
        for name in names:
            with self._kept(name):
                self._trackers[name] = TRACKERS[name](folder)

    def begun(self, plan: Plan, done: Mapping[str, Record]) -> None:
        """Store the labels of the trials to come."""
        self._labels |= plan.labels()

    def step(self, trial: Trial, step: int, loss: float) -> None:
        """Log the training loss. A repeated step comes from a restarted worker."""
        again = step <= self._last.get(trial.id, -1)
        self._log(trial, step, {"train/loss": loss}, begins=again)

    def validated(self, trial: Trial, step: int, miou: float) -> None:
        """Log the mIoU of a validation."""
        self._log(trial, step, {"validation/miou": miou})

    def finished(self, record: Record) -> None:
        """Log the results of a trial."""
        trial, steps = record.trial, record.trial.conditions.steps
        if trial.id in self._ended:  # reported twice if the worker died after the first report
            return
        known = self._tracked(trial)
        if trial.id not in self._last:
            self._each(lambda tracker: tracker.begin(known, steps + 1))
        numbers = results_of(record)
        self._each(lambda tracker: tracker.end(known, steps, numbers, record.reason))
        self._ended.add(trial.id)

    def close(self) -> None:
        """End all trials in progress."""
        self._each(lambda tracker: tracker.close())

    def _log(
        self, trial: Trial, step: int, numbers: Mapping[str, float], *, begins: bool = False
    ) -> None:
        if trial.id in self._ended:
            return
        known = self._tracked(trial)
        if begins or trial.id not in self._last:
            self._each(lambda tracker: tracker.begin(known, step))
        self._last[trial.id] = step
        self._each(lambda tracker: tracker.log(known, step, numbers))

    def _tracked(self, trial: Trial) -> Tracked:
        if trial.id not in self._trials:
            row = self._labels.get(trial.id, trial.system.name)
            name = f"{row}, seed {trial.seed}"
            if trial.seed == PRETRAINING_SEED:
                row = name = "pre-training"
            if any(other.name == name for other in self._trials.values()):
                name += f", {trial.id}"  # the same row under other conditions, as in a search
            self._trials[trial.id] = Tracked(
                trial.id,
                f"{_key(self._folder)}-{trial.id}",
                row,
                trial.seed,
                name,
                {"row": row, "seed": trial.seed, **config_of(trial)},
            )
        return self._trials[trial.id]

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            with self._kept(name):
                tell(tracker)

    @contextmanager
    def _kept(self, name: str) -> Generator[None]:
        """Drop a tracker that raises an error, so that the run goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._trackers.pop(name, None)
            self._note(f"--track {name}: logging stopped: {text_of(error)}")


def config_of(trial: Trial) -> dict[str, str | int | float | bool]:
    """Return the system and conditions of a trial as one value per name."""
    system = trial.system
    found: dict[str, str | int | float | bool] = {
        "system": system.name,
        "architecture": system.architecture,
        **{slot: str(choice) for slot, choice in system.slots},
    }
    for name, value in trial.conditions.document().items():
        if value is not None and name != "described":
            found[name] = value if isinstance(value, str | int | float) else str(value)
    return found


def results_of(record: Record) -> dict[str, float]:
    """Return the results of a trial by name; empty for a failed one."""
    if record.confusion is None:
        return {}
    found = {"score/miou": miou(record.confusion.sparse().sum())}
    if record.still is not None:
        found["score/past"] = found["score/miou"] - miou(record.still.sparse().sum())
    for measured in record.consistency:
        if measured.value is not None:
            found[f"score/tc_{measured.preset}"] = measured.value
    found["cost/params"] = record.params
    found["cost/seconds"] = sum(seconds for _, seconds in record.seconds)
    for pulse in record.pulses:
        found[f"live/{pulse.part}"] = float(pulse.live)
    return found


def _key(folder: Path) -> str:
    """Return the key of the run in a folder.

    It distinguishes the run's trials from equal ones elsewhere. It is stored in the folder, so that
    a resumed run continues its own logs.
    """
    path = folder / "key"
    with suppress(OSError):
        if re.fullmatch(r"[0-9a-f]{8}", found := path.read_text()):
            return found
    made = secrets.token_hex(4)
    with suppress(HostError):
        write_atomic(path, made)
    return made
