"""Hyper-parameter searches, from the table to its `tuned.toml`: plan, check, run, write."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msaf_bench.errors import UsageError
from msaf_bench.files import write_atomic
from msaf_bench.spec.search import Method, Space, Stopping, Tuned, TunedRow
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.points import distinct, points_of
from msaf_bench.sweep.tuning.search import AXIS, Attempt, Search, axis_space, search_plan
from msaf_bench.sweep.workspace import Setting

FILE = "tuned.toml"
ATTEMPTS = "attempts.csv"
HEADER = (
    "# Written by `msaf-bench tune`. `msaf-bench ablate --tuned FILE` runs the table with these\n"
    "# values. mIoU in percent on clips that are neither trained on nor scored in the table.\n"
)


@dataclass(frozen=True)
class PointSearch:
    """Search of a table under one set of conditions; a table with an axis has one per point."""

    point: str  #: name of the point's folder; empty without an axis
    search: Search
    setting: Setting


@dataclass(frozen=True)
class Searches:
    """A search that is ready to run: its parts and the way to run them."""

    parts: tuple[PointSearch, ...]
    setting: Setting
    cluster: Cluster | None  #: Ray cluster; None: attempts run in this process
    resume: bool

    @property
    def attempts(self) -> int:
        """Total number of attempts."""
        return sum(part.search.attempts for part in self.parts)


@dataclass(frozen=True)
class TuningOutcome:
    """The outcome of a finished search."""

    tuned: Tuned
    path: Path
    without: tuple[str, ...]  #: rows without a fully trained attempt


def prepare(
    plan: Plan,
    setting: Setting,
    *,
    space: Space | None,
    trials: int,
    method: Method,
    stopping: Stopping,
    rungs: int,
    seed: int,
    cluster: Cluster | None,
    resume: bool,
) -> Searches:
    """Plan the search for a plan's rows, without running it.

    Args:
        plan: Plan of the table.
        setting: Folder, device and threads of the attempts.
        space: Search space; None for the table's own axis.
        trials: Number of attempts per row, including the unchanged row.
        method: Method that proposes the values.
        stopping: Rule that stops poor attempts early; all but "none" need Ray.
        rungs: Number of validations per attempt.
        seed: Seed of the proposals.
        cluster: Ray cluster; None runs the attempts in this process.
        resume: Keep finished attempts.

    Raises:
        UsageError: Without a `space`, the table does not have exactly one axis, or the axis cannot
            be searched; or the conditions already change scoring or validation.
    """
    axis = plan.table.axis
    if space is None:
        if len(axis) != 1:
            raise UsageError(
                f"--space {AXIS}: {plan.table.name} has {len(axis) or 'no'} axes; name a search"
                " space, or a table with one axis"
            )
        space = axis_space(axis[0])
        plan = plan.model_copy(update={"table": plan.table.model_copy(update={"axis": ()})})
        axis = ()
    if axis:
        points = distinct(points_of(plan, setting.workspace))
        own = [(p.plan, replace(setting, workspace=p.workspace)) for p in points]
    else:
        own = [(plan, setting)]
    parts: list[PointSearch] = []
    for each, where in own:
        search = Search(
            plan=search_plan(each, rungs),
            space=space,
            trials=trials,
            method=method,
            stopping=stopping,
            seed=seed,
            conditions=each.conditions.key,
        )
        parts.append(PointSearch(where.workspace.folder.name if axis else "", search, where))
    return Searches(tuple(parts), setting, cluster, resume)


def check(tuning: Searches) -> None:
    """Raise an error if one of the searches could not run. Nothing is written."""
    from msaf_bench.sweep.tuning.run import check_search

    stopping = tuning.parts[0].search.stopping
    if tuning.cluster is None and stopping != "none":
        raise UsageError(f"--stopping {stopping} needs Ray; add --on ray, or omit --stopping")
    for part in tuning.parts:
        check_search(part.search)


def run(
    tuning: Searches,
    events: Events,
    on_attempts: Callable[[Mapping[str, Attempt]], None] = lambda attempts: None,
) -> TuningOutcome:
    """Run the missing attempts, then write `tuned.toml` and `attempts.csv`.

    `on_attempts` is called with all attempts by id whenever one is added; see `run_search`. Raises
    `UsageError` if no row could be tuned.
    """
    from msaf_bench.sweep.tuning.run import found, run_search, tuned_of

    check(tuning)
    of_points: list[tuple[str, Mapping[str, TunedRow]]] = []
    every: list[tuple[str, Attempt]] = []
    without: list[str] = []
    resume = tuning.resume
    for number, part in enumerate(tuning.parts, 1):
        if part.point:
            events.note(f"point {number}/{len(tuning.parts)}: {part.point}")
        attempts = run_search(
            part.search,
            part.setting,
            events,
            cluster=tuning.cluster,
            resume=resume or bool(part.point),
            on_attempts=on_attempts,
        )
        rows = found(part.search, attempts)
        of_points.append((part.point, rows))
        every += [(part.point, attempt) for attempt in attempts]
        missing = [label for label in part.search.plan.rows if label not in rows]
        without += [f"{part.point}: {label}" if part.point else label for label in missing]
    first = tuning.parts[0]
    if first.point:
        tuned = tuned_of(first.search, {}, of_points)
    else:
        tuned = tuned_of(first.search, of_points[0][1])
    folder = tuning.setting.workspace.folder
    write_atomic(folder / ATTEMPTS, attempts_csv(every))
    write_atomic(folder / FILE, HEADER + tuned_toml(tuned))
    return TuningOutcome(tuned, folder / FILE, tuple(without))


def tuned_toml(tuned: Tuned) -> str:
    """Return the outcome of a search as TOML, in the format of `read_tuned`."""
    import tomli_w

    def row(found: TunedRow) -> dict[str, object]:
        content = found.model_dump(exclude_defaults=True)
        content["values"] = dict(found.values)  # a tuple becomes an array
        content["attempts"] = [round(miou, 3) for miou in found.attempts]
        for name in ("miou", "default"):
            if content.get(name) is not None:
                content[name] = round(float(str(content[name])), 3)
        return content

    content = tuned.model_dump(exclude={"name", "rows", "points"})
    if tuned.rows:
        content["rows"] = {label: row(found) for label, found in tuned.rows}
    if tuned.points:
        content["points"] = {
            point: {label: row(found) for label, found in rows} for point, rows in tuned.points
        }
    return tomli_w.dumps(content)


def attempts_csv(attempts: Iterable[tuple[str, Attempt]]) -> str:
    """Return a CSV with one line per attempt: row, number, state, steps, mIoU, and its values."""
    import pandas as pd

    attempts = list(attempts)
    names = sorted({name for _, each in attempts for name, _ in each.values})
    lines = [_line(point, each, names) for point, each in attempts]
    table = pd.DataFrame(lines)
    if not any(point for point, _ in attempts):
        table = table.drop(columns="point")
    return table.to_csv(index=False)


def _line(point: str, attempt: Attempt, names: Sequence[str]) -> dict[str, object]:
    values = dict(attempt.values)
    return {
        "point": point,
        "row": attempt.row,
        "attempt": attempt.number,
        "state": attempt.state,
        "steps": attempt.steps,
        "miou": round(attempt.curve[-1][1], 3) if attempt.curve else None,
        "not_live": " ".join(attempt.dead),
        "reason": attempt.reason,
        **{name: values.get(name) for name in names},
    }
