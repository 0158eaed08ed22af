"""A finished run, read from its folder: records, tidy table and summary.

run = load_run("reports/reference/table3-street-quick")
run.frame().groupby(["row", "metric"])["value"].mean()
run.summary().rows[0].interval
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msaf_bench.errors import UsageError
from msaf_bench.findings.recorded import (
    RecordedPlan,
    as_recorded,
    changed_note,
    recorded_costs,
    with_names,
)
from msaf_bench.findings.summarise import summarise
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.trials import Result, read_results
from msaf_bench.findings.tuning import tuning_of
from msaf_bench.packed import holds, names
from msaf_bench.records import Record, read_record
from msaf_bench.spec import Conditions, Table
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.row_speeds import read_speeds
from msaf_bench.sweep.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame


class Records(Mapping[str, Record]):
    """Records of a folder by trial id; each is read on access."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, trial: str) -> Record:
        path = self._folder / f"{trial}.json"
        if not holds(path):
            raise KeyError(trial)
        return read_record(path)

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".json") for name in names(self._folder))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Run:
    """A run in its folder. The plan is read at once, the records on first use."""

    folder: Path
    plan: Plan

    @property
    def table(self) -> Table:
        """The table: rows, printed numbers and orderings."""
        return self.plan.table

    @property
    def conditions(self) -> Conditions:
        """Conditions of all rows: data, frame size, schedule and others."""
        return self.plan.conditions

    @property
    def records(self) -> Mapping[str, Record]:
        """Records by trial id, with confusion matrices per image; read one by one."""
        return Records(Workspace(self.folder).records)

    @property
    def points(self) -> "tuple[Run, ...]":
        """Runs of a table with an axis, one per value; empty for other tables."""
        folders = sorted(point for point in self.folder.glob("points/*") if point.is_dir())
        return tuple(load_run(folder) for folder in folders)

    @cached_property
    def recorded(self) -> RecordedPlan:
        """Plan with the recorded systems."""
        return as_recorded(self.plan, (result.record for result in self._results.values()))

    @cached_property
    def _results(self) -> dict[str, Result]:
        if self.table.axis:
            raise UsageError(f"{self.folder} holds a table with an axis; use one of its `points`")
        return read_results(Workspace(self.folder).records)

    def frame(self) -> "DataFrame":
        """Return one tidy line per row × seed × metric.

            run.frame().query("metric == 'miou'").pivot(index="seed", columns="row", values="value")

        `msaf_bench.findings.frame` describes the columns. Raises `HostError` for a damaged record.
        """
        from msaf_bench.findings.frame import frame_of

        return frame_of(self.recorded, self._results)

    def summary(self, *, allow_mixed: bool = False) -> Summary:
        """Return the rows, intervals and verdicts of a report; a notebook shows it as a table.

        Args:
            allow_mixed: whether records of different data may share the table; a note says so

        Raises:
            DataError: if records read different data without `allow_mixed`
            HostError: for a damaged record
        """
        workspace, records = Workspace(self.folder), self._results
        summary = _summarise(workspace, self.recorded, records, allow_mixed=allow_mixed)
        default, search = self.plan.default(), self.plan.tuned
        if default is None or search is None:
            return summary
        before = as_recorded(default, (result.record for result in records.values()))
        untuned = _summarise(workspace, before, records, allow_mixed=allow_mixed)
        point = self.folder.name if search.points else ""
        return replace(summary, tuning=tuning_of(summary, untuned, search, point))


def load_run(folder: str | Path) -> Run:
    """Read a finished run from a folder made by `msaf-bench ablate`.

        run = load_run("reports/reference/table3-street-quick")

    The run of a table with an axis has `points`, each a separate run. Raises `UsageError` if the
    folder holds no run, `HostError` for a damaged plan.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(
            f"{path}: no such folder; give the folder of a run made by `msaf-bench ablate`"
        )
    return Run(path, Workspace(path).plan())


def summarise_run(workspace: Workspace, plan: Plan, *, allow_mixed: bool = False) -> Summary:
    """Return the summary of a run, read from its records.

    Raises `DataError` if they read different data, unless `allow_mixed`.
    """
    return Run(workspace.folder, plan).summary(allow_mixed=allow_mixed)


def _summarise(
    workspace: Workspace,
    plan: RecordedPlan,
    results: Mapping[str, Result],
    *,
    allow_mixed: bool = False,
) -> Summary:
    """Return the summary of the planned rows and of the rows that are only printed."""
    named = with_names(plan.table)
    table = named.model_copy(
        update={
            "rows": tuple(r for r in named.rows if r[0] in plan.rows or r[0] not in named.built),
            "orderings": tuple(
                o for o in named.orderings if o.better in plan.rows and o.worse in plan.rows
            ),
        }
    )
    subjects = plan.subjects()
    summary = summarise(
        table,
        plan.systems(),
        plan.trials(),
        results,
        read_speeds(plan, workspace),
        recorded_costs(plan, workspace),
        {label: subjects[label] for label in plan.controls},
        conditions=plan.conditions,
        allow_mixed=allow_mixed,
    )
    own = () if plan.tuned else _own_conditions(table)
    return replace(summary, notes=(*summary.notes, *own, *changed_note(plan)))


def _own_conditions(table: Table) -> tuple[str, ...]:
    """Return a note on rows trained under other conditions than the table; empty without any."""
    texts = [
        f"{label} with {', '.join(f'{name} {value}' for name, value in row.conditions)}"
        for label, row in table.rows
        if row.conditions
    ]
    return (f"Some rows are trained under other conditions: {'; '.join(texts)}.",) if texts else ()
