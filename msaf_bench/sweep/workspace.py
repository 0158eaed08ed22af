"""Where trials run, and the folder that keeps them. No torch here."""

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
    """The folder of one run: `plan.json`, `records/`, `cost/`, `speed/`, `checkpoints/`,
    `predictions/`, and all that is rendered. `msaf_bench.packed` may hold the first three folders.

    While it runs it also holds three hidden folders, which are removed at its end.
    """

    folder: Path

    @property
    def flow(self) -> Path:
        """Estimated flow of the scored frames, which every trial reads."""
        return self.folder / ".msaf-bench-flow"

    @property
    def features(self) -> Path:
        """Features of a frozen backbone, which every trial reads."""
        return self.folder / ".msaf-bench-features"

    @property
    def frames(self) -> Path:
        """Decoded frames and label maps, which every trial reads."""
        return self.folder / ".msaf-bench-frames"

    @property
    def speed(self) -> Path:
        """One JSON per row and mode, measured after the trials."""
        return self.folder / "speed"

    @property
    def cost(self) -> Path:
        """One JSON a row: what it costs as published."""
        return self.folder / "cost"

    @property
    def records(self) -> Path:
        """One JSON a trial, the pre-training among them."""
        return self.folder / "records"

    def record(self, trial: Trial) -> Path:
        """The record of a trial."""
        return self.records / f"{trial.id}.json"

    def checkpoints(self, trial: Trial) -> Path:
        """The weights of a trial."""
        return self.folder / "checkpoints" / trial.id

    def predictions(self, trial: Trial) -> Path:
        """The predicted label maps of a trial's sample clips, one PNG."""
        return self.folder / "predictions" / f"{trial.id}.png"

    def plan(self) -> Plan:
        """The plan that this folder keeps. Raises `UsageError` if it keeps none, `HostError` if it
        is damaged.
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
        """Raises `UsageError` where a folder that holds no run has a file that the report of table
        `name` would replace.
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
        """Whether a run or a study was begun here, as far as `plan.json` says."""
        return (self.folder / "plan.json").exists()

    def holds_records(self) -> bool:
        """Whether there is a record of this run or, in a study, of any of its points."""
        runs = (self.folder, *self.folder.glob("points/*"))
        return any(names(Workspace(run).records) for run in runs)

    def finished(self, plan: Plan, *, resume: bool) -> dict[str, Record]:
        """The plan's finished records by trial id; none where the folder holds no run yet.
        `plan.json` may be missing: the records decide.

        Raises `UsageError` if it holds another run, or this one and `resume` is off, `HostError`
        for a damaged plan or record, `DataError` where starting weights have changed.
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
        """Makes this the folder of the plan; rows and seeds that it was the folder of before stay
        in it.
        """
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
        """Holds the folder for this process; a killed process lets go, and what it left
        half-written is removed.

        Raises `LockedError` naming the holder, `HostError` where the folder cannot be written.
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
    """How trials are run here: what changes no number's meaning, or is recorded with it as the
    host.
    """

    workspace: Workspace
    root: Path | None = None
    device: str = "cpu"
    threads: int = 1
    plugins: tuple[str, ...] = ()
    loader_threads: int = 0  #: of each trial, that load data ahead of its network
    cache_gib: float = 0.0  #: of decoded frames that are kept on disk, at most
    cache_folder: Path | None = None  #: where; None: in the workspace
    gpu_memory_gib: float | None = None  #: of a GPU, as stated; None: as the driver tells it
    start: Trial | None = None  #: the pre-training whose backbone the trials start from

    @property
    def cores(self) -> int:
        """Number of CPU cores that a trial keeps busy."""
        return self.threads + self.loader_threads

    def readers(self, conditions: Conditions) -> "Readers":
        """Return the data sets that plug-ins read, where the conditions name none of ours."""
        return {} if conditions.described else readers_for(conditions.data, self.plugins)

    def host(self) -> Host:
        """Return this machine under this setting."""
        return Host.here(self.device, self.threads, device_name(self.device))


def readers_for(data: str, plugins: Iterable[str]) -> "Readers":
    """Return the data sets that plug-ins read, where `data` is none of ours nor a file that
    describes one: plug-ins load torch.
    """
    if data.endswith(".toml") or data in list_data_sets():
        return {}
    from msaf_bench.architectures import readers_of

    return readers_of(plugins)


def check_starts(trials: Iterable[Trial], records: Iterable[Record]) -> None:
    """Raises `DataError` where the record of one of these trials started from weights of other
    content under the same name.
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
    """Return what makes a plan another run's: rows and seeds may differ."""
    tuned = plan.tuned.canonical() if plan.tuned else ""
    return plan.table.unnamed().canonical() + tuned, plan.conditions.canonical()


def _upgraded(content: dict[str, object]) -> dict[str, object]:
    """Return a plan of an earlier version, whose records have format 1, in the present form."""
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
