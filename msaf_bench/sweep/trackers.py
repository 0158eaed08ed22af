"""Trackers for the numbers of trials: TensorBoard, a CSV file, W&B and MLflow.

Each package is imported when its tracker is made. Nothing is written before a trial begins.
"""

import csv
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msaf_bench.files import write_atomic
from msaf_bench.inputs import file_name

PROJECT = "msaf-bench"  #: default project in W&B and MLflow; their environment may name another
FLUSH_S = 10  #: seconds between two writes of TensorBoard's files
FINISH_S = 60  #: time limit in seconds for the last numbers of a W&B run
ENDED = ("FINISHED", "FAILED")  #: final states of an MLflow run

Numbers = Mapping[str, float]  #: values by name, such as `train/loss`


class Tracked(NamedTuple):
    """A trial as seen by trackers."""

    id: str
    key: str  #: distinguishes it from the same trial in another folder
    row: str
    seed: int
    name: str
    config: Mapping[str, str | int | float | bool]  #: system and conditions of the trial


class Tracker(Protocol):
    """Stores the numbers of trials, several of which may be in progress.

    Any method may raise any error.
    """

    def begin(self, trial: Tracked, step: int) -> None:
        """Start or resume a trial: its next numbers begin, perhaps again, at this step."""
        ...

    def log(self, trial: Tracked, step: int, numbers: Numbers) -> None:
        """Store the numbers of a step."""
        ...

    def end(self, trial: Tracked, step: int, numbers: Numbers, fault: str) -> None:
        """Store a trial's last numbers.

        Args:
            trial: Trial that has ended.
            step: Its last step.
            numbers: Its results by name.
            fault: Reason of a failure; empty if the trial succeeded.
        """
        ...

    def close(self) -> None:
        """End the trials in progress, because the run was stopped."""
        ...


class TensorBoard:
    """Event files per trial, in separate folders. Repeated numbers hide the old ones."""

    def __init__(self, folder: Path) -> None:
        self._package: Any = import_module("tensorboardX")
        self._hparams: Any = import_module("tensorboardX.summary").hparams
        self._folder = folder / "tensorboard"
        self._writers: dict[str, Any] = {}

    def begin(self, trial: Tracked, step: int) -> None:
        if trial.id in self._writers:
            self._writers[trial.id].close()
        self._writers[trial.id] = self._package.SummaryWriter(
            str(self._folder / file_name(trial.name)),
            purge_step=step,
            flush_secs=FLUSH_S,
            # without a suffix, two files from the same second have the same name
            filename_suffix=f".{secrets.token_hex(4)}",
        )

    def log(self, trial: Tracked, step: int, numbers: Numbers) -> None:
        for name, value in numbers.items():
            self._writers[trial.id].add_scalar(name, value, step)

    def end(self, trial: Tracked, step: int, numbers: Numbers, fault: str) -> None:
        self.log(trial, step, numbers)
        writer = self._writers.pop(trial.id)
        for summary in self._hparams(dict(trial.config), dict(numbers)):
            writer.file_writer.add_summary(summary)
        if fault:
            writer.add_text("failed", fault, step)
        writer.close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


class Csv:
    """A tidy table with one line per number. Repeated numbers replace the old ones."""

    HEAD = ("trial", "row", "seed", "step", "metric", "value")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log.csv"

    def begin(self, trial: Tracked, step: int) -> None:
        there: list[list[str]] = []
        if self._path.exists():
            with self._path.open(newline="") as file:
                # a killed process may have left an incomplete last line
                there = [line for line in csv.reader(file) if len(line) == len(self.HEAD)][1:]
        kept = [line for line in there if line[0] != trial.id or int(line[3]) < step]
        write_atomic(self._path, _csv_text([self.HEAD, *kept]))

    def log(self, trial: Tracked, step: int, numbers: Numbers) -> None:
        about = (trial.id, trial.row, trial.seed, step)
        with self._path.open("a", newline="") as file:
            file.write(_csv_text((*about, *number) for number in numbers.items()))

    def end(self, trial: Tracked, step: int, numbers: Numbers, fault: str) -> None:
        self.log(trial, step, {**numbers, "failed": float(bool(fault))})

    def close(self) -> None:
        """Do nothing: every line is on disk."""


class Wandb:
    """A Weights & Biases run per trial, configured by its environment (`WANDB_MODE`, ...).

    Repeated numbers are dropped.
    """

    def __init__(self, folder: Path) -> None:
        self._package: Any = import_module("wandb")
        self._folder = folder
        self._runs: dict[str, Any] = {}

    def begin(self, trial: Tracked, step: int) -> None:
        if trial.id in self._runs:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._runs[trial.id] = self._package.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=os.environ.get("WANDB_RUN_GROUP", self._folder.parent.name),
            name=trial.name,
            id=trial.key,
            config=dict(trial.config),
            dir=str(self._folder),
            resume="allow",
            reinit="create_new",  # other trials may be in progress
            settings=self._package.Settings(console="off", silent=True, finish_timeout=FINISH_S),
        )

    def log(self, trial: Tracked, step: int, numbers: Numbers) -> None:
        self._runs[trial.id].log(dict(numbers), step=step)

    def end(self, trial: Tracked, step: int, numbers: Numbers, fault: str) -> None:
        run = self._runs.pop(trial.id)
        run.summary.update({**numbers, **({"failed": fault} if fault else {})})
        run.finish(exit_code=int(bool(fault)))

    def close(self) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)


class Mlflow:
    """An MLflow run per trial, at the tracking URI or else in `mlflow.db`.

    Repeated numbers are dropped.
    """

    KEY = "msaf-bench.trial"  #: tag that identifies the run of a trial

    def __init__(self, folder: Path) -> None:
        self._package: Any = import_module("mlflow")
        self._entities: Any = import_module("mlflow.entities")
        self._folder = folder
        self._runs: dict[str, tuple[str, int]] = {}  # run id and last step, by trial id

    @cached_property
    def _client(self) -> Any:
        # a lost server must not delay the training for long
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        if self._package.is_tracking_uri_set():
            return self._package.MlflowClient()
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._package.MlflowClient(f"sqlite:///{self._folder}/mlflow.db")

    @cached_property
    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        there = self._client.get_experiment_by_name(name)
        return there.experiment_id if there else self._client.create_experiment(name)

    def begin(self, trial: Tracked, step: int) -> None:
        if trial.id in self._runs:
            return
        found = self._client.search_runs([self._experiment], f"tags.`{self.KEY}` = '{trial.key}'")
        if found:
            run = found[0].info.run_id
            self._client.update_run(run, status="RUNNING")
            old = self._client.get_metric_history(run, "train/loss")
            self._runs[trial.id] = run, max((metric.step for metric in old), default=-1)
            return
        tags = {self.KEY: trial.key}
        made = self._client.create_run(self._experiment, run_name=trial.name, tags=tags)
        self._runs[trial.id] = made.info.run_id, -1
        params = [self._entities.Param(name, str(value)) for name, value in trial.config.items()]
        self._client.log_batch(made.info.run_id, params=params)

    def log(self, trial: Tracked, step: int, numbers: Numbers) -> None:
        run, last = self._runs[trial.id]
        if step > last:
            self._send(run, step, numbers)

    def end(self, trial: Tracked, step: int, numbers: Numbers, fault: str) -> None:
        run, _ = self._runs.pop(trial.id)
        self._send(run, step, numbers)
        if fault:
            self._client.set_tag(run, "failed", fault)
        self._client.set_terminated(run, ENDED[bool(fault)])

    def close(self) -> None:
        for run, _ in self._runs.values():
            self._client.set_terminated(run, "KILLED")

    def _send(self, run: str, step: int, numbers: Numbers) -> None:
        now = int(1000 * time.time())
        metrics = [self._entities.Metric(name, x, now, step) for name, x in numbers.items()]
        self._client.log_batch(run, metrics=metrics)


def _csv_text(lines: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
