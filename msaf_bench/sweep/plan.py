"""What a sweep will do: the trials of a table, and the folder that keeps them. No torch here."""

import fcntl
import os
import re
import socket
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from msaf_bench.catalog import controls_of, systems_of
from msaf_bench.errors import DataError, HostError, LockedError, UsageError, one_of
from msaf_bench.files import read_kept, remove_parts, write_kept
from msaf_bench.folders import list_folder
from msaf_bench.inputs import file_name
from msaf_bench.records import Record, read_records, rename_consistency
from msaf_bench.spec import MOST_SEEDS, Choice, Conditions, Spec, System, Table, Trial
from msaf_bench.starting import without_content

ONE_SEED = "one seed gives no interval and no verdict; add --seeds 5, or at least 2"
PRETRAINING_SEED = 1_000_003  #: far from any trial's


class Plan(Spec):
    """A table, the conditions, which rows and how many seeds. Seeds are 0, 1, ...: the same for
    every row.
    """

    table: Table
    conditions: Conditions
    rows: tuple[str, ...]
    seeds: int = Field(ge=1, le=MOST_SEEDS)
    plugins: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()  #: labels

    @model_validator(mode="after")
    def _of_its_table(self) -> Self:
        for row in self.rows:
            one_of("row", row, self.table.built)
        for control in self.controls:
            one_of("control", control, dict(self.table.controls))
        if self.table.reference not in self.rows:
            raise ValueError(f"the reference row {self.table.reference!r} is not among its rows")
        return self

    def systems(self) -> dict[str, System]:
        """Row label -> system, in the table's order, without the controls. Raises `UsageError` if
        two rows are the same.
        """
        systems = systems_of(self.table, self.conditions)
        return {label: systems[label] for label in self.rows}

    def subjects(self) -> dict[str, tuple[System, Conditions]]:
        """Label -> system and conditions of everything that is trained: the rows, then the
        controls.
        """
        controls = controls_of(self.table, self.conditions)
        rows = {label: (system, self.conditions) for label, system in self.systems().items()}
        return rows | {label: controls[label] for label in self.controls}

    def labels(self) -> dict[str, str]:
        """Trial id -> label of its row or control."""
        return {
            Trial(system=system, conditions=conditions, seed=seed).id: label
            for label, (system, conditions) in self.subjects().items()
            for seed in range(self.seeds)
        }

    def pretraining(self) -> Trial | None:
        """The pre-training that all rows start from, made from the reference row.

        Raises `UsageError` where a row has another backbone than the reference row.
        """
        if not self.conditions.pretrain_steps:
            return None
        systems = {label: system for label, (system, _) in self.subjects().items()}
        reference = systems[self.table.reference]
        for label, system in systems.items():
            if dict(system.slots).get("backbone") != reference["backbone"]:
                raise UsageError(
                    f"row {label!r} has another backbone than {self.table.reference!r}: there is no"
                    " common pre-training; add --set pretrain_steps=0"
                )
        return pretraining_of(reference, self.conditions)

    def trials(self) -> list[Trial]:
        """All trials, seed by seed, so that a sweep that is cut short has compared every row; each
        seed's controls after its rows.
        """
        subjects = self.subjects().values()
        return [
            Trial(system=system, conditions=own, seed=seed)
            for seed in range(self.seeds)
            for system, own in subjects
        ]


def pretraining_of(system: System, conditions: Conditions) -> Trial:
    """The pre-training of a system's backbone: the same architecture with nothing in its other
    slots, for as long as told.
    """
    bare = tuple(
        (slot, choice if slot == "backbone" else Choice(use="none"))
        for slot, choice in system.slots
    )
    own = {
        "steps": conditions.pretrain_steps,
        "lr": conditions.pretrain_lr or conditions.lr,
        "backbone_rate": 1.0,
        "draws": 0,
        "rates": (),
    }
    alone = conditions.model_copy(update={**own, "pretrain_steps": 0, "pretrain_lr": 0.0})
    return Trial(
        system=system.swap(bare, name="pretraining"), conditions=alone, seed=PRETRAINING_SEED
    )


def make_plan(
    table: Table,
    conditions: Conditions,
    rows: Sequence[str] = (),
    seeds: int = 5,
    plugins: Sequence[str] = (),
    *,
    controls: bool = False,
) -> Plan:
    """A plan of all rows that can be run, or of those named and the reference row; with `controls`
    also of the table's controls.

    Raises `UsageError` for an unknown row, one that is only printed, or no seed.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"--seeds {seeds}: give 1 to {MOST_SEEDS}")
    if printed := [row for row in rows if one_of("row", row, dict(table.rows)) not in table.built]:
        raise UsageError(
            f"row {printed[0]!r} is only printed, it has no system here; there is"
            f" {', '.join(table.built)}"
        )
    chosen = {*rows, table.reference} if rows else set(table.built)
    kept = tuple(label for label in table.built if label in chosen)
    beside = tuple(label for label, _ in table.controls) if controls else ()
    return Plan(
        table=table,
        conditions=conditions,
        rows=kept,
        seeds=seeds,
        plugins=tuple(plugins),
        controls=beside,
    )


def with_rows_of(records: Iterable[Record], plan: Plan) -> Plan:
    """The plan, and what records of its table and conditions are of beside it: rows, controls,
    seeds.

    Raises `UsageError` if there are records of trials and none belongs to the table under these
    conditions.
    """
    whole = make_plan(plan.table, plan.conditions, seeds=1, controls=True).subjects()
    labels = {(system.key, own.key): label for label, (system, own) in whole.items()}
    trials = [record.trial for record in records if record.trial.seed != PRETRAINING_SEED]
    found = [
        (label, trial.seed)
        for trial in trials
        if (label := labels.get((trial.system.key, trial.conditions.key)))
    ]
    if trials and not found:
        differs = (
            _conditions_difference(trials[0].conditions, plan.conditions)
            or f"rows that {plan.table.name} has not"
        )
        raise UsageError(f"the {len(trials)} records here are of another run ({differs})")
    seeds = 1 + max((seed for _, seed in found), default=0)
    if seeds > MOST_SEEDS:
        raise UsageError(
            f"a record here has seed {seeds - 1}; the seeds of a run are 0 to {MOST_SEEDS - 1}"
        )
    return _joined(plan, {label for label, _ in found}, seeds)


def _joined(plan: Plan, labels: set[str], seeds: int) -> Plan:
    """The plan with more rows and controls, in the table's order, and at least so many seeds."""
    rows = tuple(label for label, _ in plan.table.rows if label in {*labels, *plan.rows})
    controls = tuple(
        label for label, _ in plan.table.controls if label in {*labels, *plan.controls}
    )
    return plan.model_copy(
        update={"rows": rows, "controls": controls, "seeds": max(seeds, plan.seeds)}
    )


@dataclass(frozen=True)
class Workspace:
    """The folder of one run: `plan.json`, `records/`, `cost/`, `speed/`, `checkpoints/`,
    `predictions/`, and all that is rendered.

    While it runs it also holds two hidden folders, which are removed at its end.
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
        for path in (self.folder, self.folder / "figures"):
            for there in list_folder(path, deep=False).names if path.is_dir() else ():
                if re.match(rf"(plan\.json$|{re.escape(file_name(name))}[._])", there):
                    raise UsageError(
                        f"--reports {self.folder}: {there} is there and not ours; choose another"
                        " folder, or add --overwrite"
                    )

    def holds_plan(self) -> bool:
        """Whether a run or a study was begun here, as far as `plan.json` says."""
        return (self.folder / "plan.json").exists()

    def holds_records(self) -> bool:
        """Whether there is a record of this run or, in a study, of any of its points."""
        return any(
            True
            for pattern in ("records/*.json", "points/*/records/*.json")
            for _ in self.folder.glob(pattern)
        )

    def finished(self, plan: Plan, *, resume: bool) -> dict[str, Record]:
        """The plan's finished records by trial id; none where the folder holds no run yet.
        `plan.json` may be missing: the records decide.

        Raises `UsageError` if it holds another run, or this one and `resume` is off, `HostError`
        for a damaged plan or record, `DataError` where starting weights have changed.
        """
        if self.holds_plan():
            held = self.plan()
            if (held.table.canonical(), held.conditions.canonical()) != (
                plan.table.canonical(),
                plan.conditions.canonical(),
            ):
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
        trials = plan.trials()
        check_starts(trials, records.values())
        wanted = {trial.id for trial in trials}
        return {i: r for i, r in records.items() if i in wanted and r.state == "done"}

    def keep(self, plan: Plan) -> None:
        """Makes this the folder of the plan; rows and seeds that it was the folder of before stay
        in it.
        """
        write_kept(self.folder / "plan.json", self._grown(plan))

    def _grown(self, plan: Plan) -> Plan:
        if self.holds_plan():
            held = self.plan()
            return _joined(plan, {*held.rows, *held.controls}, held.seeds)
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


def check_starts(trials: Iterable[Trial], records: Iterable[Record]) -> None:
    """Raises `DataError` where the record of one of these trials started from weights of other
    content under the same name.
    """
    wanted = {
        without_content(trial.canonical()): trial for trial in trials if trial.system.starts()
    }
    for record in records if wanted else ():
        now = wanted.get(without_content(record.trial.canonical()))
        if now and now.id != record.trial.id:
            old, new = record.trial.system.starts(), now.system.starts()
            was, start = next(
                (was, start)
                for was, start in zip(old, new, strict=True)
                if was.sha256 != start.sha256
            )
            raise DataError(
                f"weights {start.path}: its content has changed (sha256 {start.sha256[:12]}, the"
                f" records here have {was.sha256[:12]}); put the old file back, or choose another"
                " folder with --reports"
            )


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """A plan of an earlier version, whose records have format 1."""
    rename_consistency(content["conditions"])
    return content


def _difference(held: Plan, plan: Plan) -> str:
    if held.table.name != plan.table.name:
        return f"table {held.table.name!r}, not {plan.table.name!r}"
    old, new = held.table.canonical(), plan.table.canonical()
    if without_content(old) == without_content(new) and old != new:
        return "starting weights of other content"
    if old != new:
        return f"an older version of {held.table.name}"
    return _conditions_difference(held.conditions, plan.conditions)


def _conditions_difference(held: Conditions, wanted: Conditions) -> str:
    old, new = held.model_dump(), wanted.model_dump()
    return ", ".join(f"{k} = {old[k]}, not {new[k]}" for k in new if old[k] != new[k])
