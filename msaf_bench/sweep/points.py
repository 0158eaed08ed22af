"""Studies: a table run at every value of an axis, each in its own folder.

torch is imported only when a study runs.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from msaf_bench.catalog import changed
from msaf_bench.errors import LockedError, UsageError
from msaf_bench.spec import Axis, Conditions, Option
from msaf_bench.sweep.plan import Plan, with_tuned
from msaf_bench.sweep.workspace import Setting, Workspace


class Point(NamedTuple):
    """One value of an axis: the plan of a table without axes, and the folder of its run."""

    axis: Axis
    value: Option
    plan: Plan
    workspace: Workspace


def points_of(plan: Plan, workspace: Workspace) -> tuple[Point, ...]:
    """Return the points of a study, axis by axis.

    Points of two axes under the same conditions share a folder. Raises `UsageError` if an axis
    names no condition or option, or if a value is not valid or occurs twice.
    """
    folders: dict[Conditions, Workspace] = {}
    found: list[Point] = []
    table = plan.table.model_copy(update={"axis": ()})
    for axis in plan.table.axis:
        values: dict[Conditions, Option] = {}
        for i, value in enumerate(axis.values):
            place = f"axis {axis.of} = {value_text(value)}"
            with_it = {name: others[i] for name, others in axis.also}
            conditions = changed(plan.conditions, {axis.of: value, **with_it}, place)
            if conditions in values:
                raise UsageError(
                    f"{place} is the same point as {value_text(values[conditions])}; omit one"
                )
            values[conditions] = value
            name = re.sub(r"[^\w.-]+", "-", f"{axis.of.rpartition('.')[2]}-{value_text(value)}")
            folder = folders.setdefault(conditions, Workspace(workspace.folder / "points" / name))
            without = {"table": table, "conditions": conditions, "tuned": None}
            own = plan.model_copy(update=without)
            if plan.tuned:
                own = with_tuned(own, plan.tuned, name)
            found.append(Point(axis, value, own, folder))
    return tuple(found)


def value_text(value: Option) -> str:
    """Return a value of an axis as text, with a size as HxW."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def distinct(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the first point of each folder."""
    found: dict[Path, Point] = {}
    for point in points:
        found.setdefault(point.workspace.folder, point)
    return tuple(found.values())


def keep_study(plan: Plan, workspace: Workspace, *, resume: bool) -> None:
    """Make this the folder of the study.

    Raises `UsageError` if it holds another run, or this one and `resume` is off.
    """
    with workspace.lock():
        if workspace.holds_plan() or workspace.holds_records():
            workspace.finished(plan, resume=resume)
            if not resume:
                raise UsageError(
                    f"{workspace.folder} holds this study; add --resume to keep finished trials"
                    " and run the rest"
                )
        workspace.keep(plan)


def run_study(
    plan: Plan,
    setting: Setting,
    check: Callable[[Plan, Setting], None],
    run: Callable[[Point, Setting], None],
    *,
    resume: bool,
) -> tuple[Path, ...]:
    """Check every point, then run all in order; return the folders in use by other processes.

    A point that another process runs is left to it, so a study that is started twice shares the
    work.

    Args:
        plan: Plan of the study.
        setting: Folder, device and threads of the study.
        check: Checks a point's plan and setting before anything runs.
        run: Runs a point.
        resume: Keep finished trials.
    """
    waiting = list(distinct(points_of(plan, setting.workspace)))
    for point in waiting:
        check(point.plan, replace(setting, workspace=point.workspace))
    keep_study(plan, setting.workspace, resume=resume)
    while waiting:
        left: list[Point] = []
        for point in waiting:
            try:
                run(point, replace(setting, workspace=point.workspace))
            except LockedError:
                left.append(point)
        if len(left) == len(waiting):
            break
        waiting = left
    return tuple(point.workspace.folder for point in waiting)
