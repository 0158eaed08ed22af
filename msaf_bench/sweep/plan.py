"""Plan of a sweep: the trials of a table. No torch here."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from msaf_bench.catalog import conditions_of, controls_of, systems_of
from msaf_bench.errors import UsageError, one_of
from msaf_bench.records import Record
from msaf_bench.spec import MOST_SEEDS, Choice, Conditions, Spec, System, Table, Trial
from msaf_bench.spec.data_sets import DataSet
from msaf_bench.spec.search import Tuned, tuned_table
from msaf_bench.starting import OPTION, start_of

ONE_SEED = "one seed gives no interval and no verdict; add --seeds 5, or at least 2"
UNTUNED = ", not tuned"  #: suffix of the label of a row trained without its tuned values
PRETRAINING_SEED = 1_000_003  #: outside the range of the trials' seeds


class Plan(Spec):
    """A table, its conditions, rows and number of seeds.

    Seeds are 0, 1, ..., the same for every row.
    """

    table: Table
    conditions: Conditions
    rows: tuple[str, ...]
    seeds: int = Field(ge=1, le=MOST_SEEDS)
    plugins: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()  #: labels of controls
    #: outcome of a search, already applied to the rows of `table`, or, with an axis, still to be
    #: applied at its points
    tuned: Tuned | None = None
    #: the table without tuned values, whose rows are also trained
    untuned: Table | None = None

    @model_validator(mode="after")
    def _of_its_table(self) -> Self:
        for row in self.rows:
            one_of("row", row, self.table.built)
        for control in self.controls:
            one_of("control", control, dict(self.table.controls))
        if self.table.reference not in self.rows:
            raise ValueError(f"the reference row {self.table.reference!r} is not among its rows")
        return self

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """Return a validated copy of the plan with other values; its systems are derived again."""
        return type(self).model_validate({**dict(self), **(update or {})})

    @cached_property
    def _subjects(self) -> Mapping[str, tuple[System, Conditions]]:
        systems = systems_of(self.table, self.conditions)
        controls = controls_of(self.table, self.conditions)
        own = conditions_of(self.table, self.conditions)
        rows = {label: (system, own[label]) for label, system in systems.items()}
        found = {label: (rows | controls)[label] for label in (*self.rows, *self.controls)}
        owner: dict[tuple[str, str], str] = {}
        for label in self.rows:
            system, own_conditions = found[label]
            other = owner.setdefault((system.key, own_conditions.key), label)
            if other != label:
                raise UsageError(
                    f"{self.table.name}: rows {other!r} and {label!r} are the same system under the"
                    " same conditions; change one"
                )
        return found

    def systems(self) -> dict[str, System]:
        """Return the system of each row by label, in the table's order, without the controls.

        Raises `UsageError` if two rows are the same.
        """
        return {label: self._subjects[label][0] for label in self.rows}

    def subjects(self) -> dict[str, tuple[System, Conditions]]:
        """Return system and conditions of all rows, then of all controls, by label."""
        return dict(self._subjects)

    def starts(self) -> dict[str, str]:
        """Return the starting weights of each row and control in words, by label.

        They are files of weights, the common pre-training, or "random".
        """
        if not self.conditions.pretrain_steps:
            return {label: system.start_text() for label, (system, _) in self.subjects().items()}
        return {
            label: "; ".join(["the common pre-training", *map(str, system.starts(but="backbone"))])
            for label, (system, _) in self.subjects().items()
        }

    def default(self) -> "Plan | None":
        """Return the plan of the same rows without tuned values; None if there was no search."""
        if self.untuned is None:
            return None
        without = {"table": self.untuned, "untuned": None, "tuned": None, "controls": ()}
        return self.model_copy(update=without)

    def labels(self) -> dict[str, str]:
        """Return the label of each trial's row or control, by trial id.

        Labels of rows without their tuned values end in `UNTUNED`.
        """
        default = self.default()
        found = default._own_labels(UNTUNED) if default else {}  # overridden by equal trials
        return found | self._own_labels()

    def _own_labels(self, more: str = "") -> dict[str, str]:
        return {
            Trial(system=system, conditions=conditions, seed=seed).id: label + more
            for label, (system, conditions) in self.subjects().items()
            for seed in range(self.seeds)
        }

    def pretraining(self) -> Trial | None:
        """Return the pre-training shared by all rows, made from the reference row.

        Raises `UsageError` if a row's backbone differs from that of the reference row.
        """
        if not self.conditions.pretrain_steps:
            return None
        subjects = self.subjects()
        reference, _ = subjects[self.table.reference]
        for label, (system, _) in subjects.items():
            if dict(system.slots).get("backbone") != reference["backbone"]:
                raise UsageError(
                    f"row {label!r} and {self.table.reference!r} have different backbones and share"
                    " no pre-training; add --set pretrain_steps=0"
                )
        return pretraining_of(reference, self.conditions)

    def trials(self) -> list[Trial]:
        """Return all trials, seed by seed, with each seed's controls after its rows.

        So a sweep that is cut short has compared all rows.
        """
        subjects = self.subjects().values()
        return [
            Trial(system=system, conditions=own, seed=seed)
            for seed in range(self.seeds)
            for system, own in subjects
        ]

    def all_trials(self) -> list[Trial]:
        """Return all trials, including those of rows without their tuned values, seed by seed."""
        default = self.default()
        every = [*self.trials(), *(default.trials() if default else ())]
        distinct = {trial.id: trial for trial in every}
        return sorted(distinct.values(), key=lambda trial: trial.seed)


def with_tuned(plan: Plan, tuned: Tuned, point: str = "") -> Plan:
    """Return the plan with the tuned values of its rows, which are also trained unchanged.

    In a table with an axis, `point` names a point; without it, the values are applied when the
    points are made. Raises `UsageError` if the search used another table, data set or preset.
    """
    of = {
        "table": (tuned.table, plan.table.name),
        "data": (tuned.data, plan.conditions.data),
        "preset": (tuned.preset, plan.conditions.preset),
    }
    for what, (found, wanted) in of.items():
        if found != wanted:
            raise UsageError(
                f"--tuned {tuned.name}: tuned with {what} {found}, but this run uses {wanted};"
                " tune again with `msaf-bench tune`"
            )
    if bool(plan.table.axis or point) != bool(tuned.points):
        other = "every point of an axis" if tuned.points else "a table without an axis"
        raise UsageError(f"--tuned {tuned.name}: tuned for {other}; tune this table again")
    if plan.table.axis:
        return plan.model_copy(update={"tuned": tuned})
    table = tuned_table(plan.table, tuned.rows_of(point))
    return plan.model_copy(update={"table": table, "untuned": plan.table, "tuned": tuned})


def pretraining_of(system: System, conditions: Conditions) -> Trial:
    """Return the pre-training of a system's backbone.

    It is the same architecture with empty other slots, trained for `pretrain_steps`.
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
        # It holds out the same clips as its rows, and is validated once, at its end.
        "validate_every": conditions.pretrain_steps if conditions.validate_every else 0,
        "keep": "last",
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
    """Return a plan of all rows with a system, or of the named rows and the reference row.

    Args:
        table: Table to run.
        conditions: Conditions of every trial.
        rows: Labels of rows. Default: all.
        seeds: Number of seeds per row.
        plugins: Importable modules with `register(registry)`.
        controls: Include the table's controls.

    Raises:
        UsageError: A row is unknown or only printed, or the number of seeds is out of range.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"--seeds {seeds}: give 1 to {MOST_SEEDS}")
    if printed := [row for row in rows if one_of("row", row, dict(table.rows)) not in table.built]:
        raise UsageError(
            f"row {printed[0]!r} is only printed and has no system here; choose one of:"
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
    """Return the plan extended by the rows, controls and seeds of its records.

    Raises `UsageError` if there are records, but none belongs to the table under these conditions.
    """
    whole = make_plan(plan.table, plan.conditions, seeds=1, controls=True).subjects()
    labels = {(system.key, own.key): label for label, (system, own) in whole.items()}
    trials = [record.trial for record in records if record.trial.seed != PRETRAINING_SEED]
    found: list[tuple[str, int]] = []
    for trial in trials:
        label = labels.get((trial.system.key, trial.conditions.key))
        if label is not None:
            found.append((label, trial.seed))
    if trials and not found:
        differs = conditions_difference(trials[0].conditions, plan.conditions)
        raise UsageError(
            f"the {len(trials)} records here belong to another run"
            f" ({differs or f'rows that are not in {plan.table.name}'})"
        )
    seeds = 1 + max((seed for _, seed in found), default=0)
    if seeds > MOST_SEEDS:
        raise UsageError(
            f"a record here has seed {seeds - 1}; the seeds of a run are 0 to {MOST_SEEDS - 1}"
        )
    return joined(plan, {label for label, _ in found}, seeds)


def joined(plan: Plan, labels: set[str], seeds: int) -> Plan:
    """Return the plan with more rows and controls, in the table's order, and at least `seeds`."""
    rows = tuple(label for label, _ in plan.table.rows if label in {*labels, *plan.rows})
    controls = tuple(
        label for label, _ in plan.table.controls if label in {*labels, *plan.controls}
    )
    return plan.model_copy(
        update={"rows": rows, "controls": controls, "seeds": max(seeds, plan.seeds)}
    )


def conditions_difference(held: Conditions, wanted: Conditions) -> str:
    """Return the conditions that differ from the wanted ones, each with both values."""
    old, new = held.model_dump(), wanted.model_dump()
    if held.start != wanted.start:
        old["start"], new["start"] = (_starts_text(each) for each in (held, wanted))
    texts = [f"{k} = {old[k]}, not {new[k]}" for k in new if k != "described" and old[k] != new[k]]
    if held.described != wanted.described:
        texts.append(_description_text(held.described, wanted.described))
    return ", ".join(texts)


def _description_text(held: DataSet | None, wanted: DataSet | None) -> str:
    """Return the keys of a data set's description that differ from the wanted ones."""
    if not (held and wanted):
        return "a data set with another description"
    others = (k for k in DataSet.model_fields if getattr(held, k) != getattr(wanted, k))
    return f"described with other {', '.join(others)}"


def _starts_text(conditions: Conditions) -> str:
    files = ((name, start_of(OPTION, file)) for name, file in conditions.start)
    return " and ".join(f"{name} from {start}" for name, start in files) or "random"
