"""Folder of a run, and the setting in which its trials run. No torch here."""

import fcntl
import os
import re
import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msaf_bench.catalog import list_data_sets
from msaf_bench.errors import DataError, HostError, LockedError, UsageError
from msaf_bench.files import read_kept, remove_parts, write_kept
from msaf_bench.folders import list_folder
from msaf_bench.host import Host, device_name
from msaf_bench.inputs import file_name
from msaf_bench.packed import names
from msaf_bench.records import Record, read_records, rename_consistency
from msaf_bench.spec import Conditions, Trial
from msaf_bench.starting import without_content
from msaf_bench.sweep.plan import Plan, conditions_difference, joined, with_rows_of

if TYPE_CHECKING:
    from msaf_bench.data import Readers


@dataclass(frozen=True)
class Workspace:
    """Folder of a run: `plan.json`, `records/`, `cost/`, `speed/`, `checkpoints/`, `predictions/`
    and the rendered files. `msaf_bench.packed` may hold the first three subfolders.

    During a run it also holds three hidden folders, which are removed at its end.
    """

    folder: Path

    @property
    def flow(self) -> Path:
        """Estimated flow of the scored frames, read by every trial."""
        return self.folder / ".msaf-bench-flow"

    @property
    def features(self) -> Path:
        """Features of a frozen backbone, read by every trial."""
        return self.folder / ".msaf-bench-features"

    @property
    def frames(self) -> Path:
        """Decoded frames and label maps, read by every trial."""
        return self.folder / ".msaf-bench-frames"

    @property
    def speed(self) -> Path:
        """Speeds: one JSON per row and mode, measured after the trials."""
        return self.folder / "speed"

    @property
    def cost(self) -> Path:
        """Costs as published: one JSON per row."""
        return self.folder / "cost"

    @property
    def records(self) -> Path:
        """Records: one JSON per trial, including the pre-training."""
        return self.folder / "records"

    def record(self, trial: Trial) -> Path:
        """Return the path of a trial's record."""
        return self.records / f"{trial.id}.json"

    def checkpoints(self, trial: Trial) -> Path:
        """Return the folder of a trial's weights."""
        return self.folder / "checkpoints" / trial.id

    def predictions(self, trial: Trial) -> Path:
        """Return the PNG with the predicted label maps of a trial's sample clips."""
        return self.folder / "predictions" / f"{trial.id}.png"

    def plan(self) -> Plan:
        """Return the plan of this folder.

        Raises `UsageError` if there is none, `HostError` if it is damaged.
        """
        path = self.folder / "plan.json"
        again = "the `msaf-bench ablate` command that made this run, with --resume,"
        if self.holds_plan():
            return read_kept(
                Plan, path, "plan", f"let {again} write it again: the records are kept", _upgraded
            )
        if self.holds_records():
            raise UsageError(
                f"{path} is missing; {again} writes it again and keeps the records that are here"
            )
        raise UsageError(
            f"{self.folder} holds no run (no plan.json); run `msaf-bench ablate` first"
        )

    def check_free(self, name: str, *, overwrite: bool = False) -> None:
        """Check that the report of table `name` replaces no file of others.

        Raises `UsageError` if the folder holds no run but a file that the report would replace.
        """
        if overwrite or self.holds_plan() or self.holds_records() or not self.folder.is_dir():
            return
        written = re.compile(rf"(plan\.json$|{re.escape(file_name(name))}[._])")
        for path in (self.folder, self.folder / "figures"):
            if not path.is_dir():
                continue
            for there in list_folder(path, deep=False).names:
                if written.match(there):
                    raise UsageError(
                        f"--reports {self.folder}: {there} is there and not ours; choose another"
                        " folder, or add --overwrite"
                    )

    def holds_plan(self) -> bool:
        """Return whether `plan.json` says that a run or a study was begun here."""
        return (self.folder / "plan.json").exists()

    def holds_records(self) -> bool:
        """Return whether there is a record of this run or of a point of this study."""
        runs = (self.folder, *self.folder.glob("points/*"))
        return any(names(Workspace(run).records) for run in runs)

    def finished(self, plan: Plan, *, resume: bool) -> dict[str, Record]:
        """Return the plan's finished records by trial id; none if the folder holds no run yet.

        The records decide; `plan.json` may be missing.

        Raises:
            UsageError: the folder holds another run, or this one and `resume` is off
            HostError: the plan or a record is damaged
            DataError: the starting weights have changed
        """
        if self.holds_plan():
            held = self.plan()
            if _content(held) != _content(plan):
                raise UsageError(
                    f"{self.folder} holds another run ({_difference(held, plan)}); choose another"
                    " folder with --reports"
                )
        else:
            self._grown(plan)
        records = read_records(self.records)
        if records and not resume:
            raise UsageError(
                f"{self.folder} holds {len(records)} records of this run; add --resume to keep them"
                " and run the rest"
            )
        trials = plan.all_trials()
        check_starts(trials, records.values())
        wanted = {trial.id for trial in trials}
        found = {trial_id: records[trial_id] for trial_id in records if trial_id in wanted}
        return {trial_id: record for trial_id, record in found.items() if record.state == "done"}

    def keep(self, plan: Plan) -> None:
        """Make this the folder of the plan, and keep the rows and seeds of earlier calls."""
        write_kept(self.folder / "plan.json", self._grown(plan))

    def _grown(self, plan: Plan) -> Plan:
        if self.holds_plan():
            held = self.plan()
            return joined(plan, {*held.rows, *held.controls}, held.seeds)
        try:
            return with_rows_of(read_records(self.records).values(), plan)
        except UsageError as error:
            raise UsageError(
                f"{self.folder}: {error}; choose another folder with --reports"
            ) from error

    @contextmanager
    def lock(self) -> Generator[None]:
        """Lock the folder for this process, and remove the half-written files of killed ones.

        The lock of a killed process is free. Raises `LockedError` naming the holder, `HostError` if
        the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("a+")
        except OSError as error:
            raise HostError(
                f"cannot write {self.folder}: {error.strerror}; choose another folder with"
                " --reports"
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                raise LockedError(
                    f"{self.folder} is in use by {file.read().strip() or 'another process'}; wait"
                    " for it or stop it"
                ) from error
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            remove_parts(self.folder)
            yield


@dataclass(frozen=True)
class Setting:
    """Options of running trials. They change no number, or are recorded with it as the host."""

    workspace: Workspace
    root: Path | None = None
    device: str = "cpu"
    threads: int = 1
    plugins: tuple[str, ...] = ()
    loader_threads: int = 0  #: threads per trial that load data ahead of the network
    cache_gib: float = 0.0  #: largest size of the cache of decoded frames on disk
    cache_folder: Path | None = None  #: folder of the cache; None: in the workspace
    gpu_memory_gib: float | None = None  #: memory of a GPU; None: as reported by the driver
    start: Trial | None = None  #: pre-training that provides the backbone of the trials

    @property
    def cores(self) -> int:
        """Number of CPU cores that a trial keeps busy."""
        return self.threads + self.loader_threads

    def readers(self, conditions: Conditions) -> "Readers":
        """Return the data sets that plug-ins read, unless the conditions name a shipped one."""
        return {} if conditions.described else readers_for(conditions.data, self.plugins)

    def host(self) -> Host:
        """Return this machine under this setting."""
        return Host.here(self.device, self.threads, device_name(self.device))


def readers_for(data: str, plugins: Iterable[str]) -> "Readers":
    """Return the data sets that plug-ins read.

    Return nothing if `data` is a shipped data set or a describing file: plug-ins load torch.
    """
    if data.endswith(".toml") or data in list_data_sets():
        return {}
    from msaf_bench.architectures import readers_of

    return readers_of(plugins)


def check_starts(trials: Iterable[Trial], records: Iterable[Record]) -> None:
    """Check that the trials start from the same weights as their records.

    Raises `DataError` if the content of a file has changed.
    """
    wanted = {
        without_content(trial.canonical()): trial for trial in trials if trial.system.starts()
    }
    if not wanted:
        return
    for record in records:
        now = wanted.get(without_content(record.trial.canonical()))
        if now is None or now.id == record.trial.id:
            continue
        pairs = zip(record.trial.system.starts(), now.system.starts(), strict=True)
        was, start = next((was, start) for was, start in pairs if was.sha256 != start.sha256)
        raise DataError(
            f"weights {start.path}: its content has changed (sha256 {start.sha256[:12]}, the"
            f" records here have {was.sha256[:12]}); put the old file back, or choose another"
            " folder with --reports"
        )


def _content(plan: Plan) -> tuple[str, str]:
    """Return the content that identifies a plan's run; rows and seeds may differ."""
    tuned = plan.tuned.canonical() if plan.tuned else ""
    return plan.table.unnamed().canonical() + tuned, plan.conditions.canonical()


def _upgraded(content: dict[str, object]) -> dict[str, object]:
    """Return the plan of an earlier version, with records of format 1, in the present form."""
    rename_consistency(cast("dict[str, object]", content["conditions"]))
    return content


def _difference(held: Plan, plan: Plan) -> str:
    if held.tuned != plan.tuned:
        return "rows that are tuned otherwise" if held.tuned else "rows that are not tuned"
    if held.table.name != plan.table.name:
        return f"table {held.table.name!r}, not {plan.table.name!r}"
    old, new = held.table.unnamed().canonical(), plan.table.unnamed().canonical()
    if without_content(old) == without_content(new) and old != new:
        return "starting weights of other content"
    if old != new:
        return f"an older version of {held.table.name}"
    return conditions_difference(held.conditions, plan.conditions)
