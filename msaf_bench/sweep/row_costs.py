"""Cost of each row as published, counted on shapes at the table's frame size."""

from collections.abc import Mapping
from pathlib import Path

from msaf_bench.catalog import systems_of
from msaf_bench.errors import GateError
from msaf_bench.files import read_kept, write_kept
from msaf_bench.packed import holds
from msaf_bench.records import SystemCost
from msaf_bench.spec import System, Table
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Setting, Workspace


def count_rows(plan: Plan, setting: Setting, events: Events) -> None:
    """Count the rows without a cost, and write one file per row.

    Does nothing if the table names no size.
    """
    if plan.table.cost_size is None:
        return
    systems, (height, width) = systems_of(plan.table), plan.table.cost_size
    paths = {label: _path(setting.workspace, systems[label], plan.table) for label in plan.rows}
    missing = [label for label, path in paths.items() if not holds(path) or read_cost(path).reason]
    for done, label in enumerate(missing):
        events.phase("cost", done, len(missing), f"{label} at {height}x{width}")
        cost = cost_as_published(
            systems[label], plan.table.cost_size, plan.table.cost_classes, setting.plugins
        )
        write_kept(paths[label], cost)


def cost_as_published(
    system: System, size: tuple[int, int], num_classes: int, plugins: tuple[str, ...] = ()
) -> SystemCost:
    """Return the cost of a system, or the reason why it cannot be counted.

    Args:
        system: System as published.
        size: (H, W) of the frames.
        num_classes: Number of classes K.
        plugins: Modules with the system's components.
    """
    from msaf_bench.analyzers.cost.system import system_cost  # imports torch; reports only read

    try:
        clip, stream = (
            system_cost(system, num_classes, size, mode=mode, plugins=plugins)
            for mode in ("clip", "stream")
        )
    except GateError as error:
        return SystemCost(system=system, size=size, num_classes=num_classes, reason=str(error))
    return SystemCost(
        system=system,
        size=size,
        num_classes=num_classes,
        params=clip.total_params,
        clip=clip.total_macs,
        stream=stream.phases,
        live_mib=round(stream.live_bytes / 2**20, 1),
        uncounted=tuple(sorted({*clip.outside, *clip.blind_spots, *stream.blind_spots})),
    )


def read_costs(plan: Plan, workspace: Workspace) -> Mapping[str, SystemCost]:
    """Read the counted costs by row label. Raises `HostError` if a file is not a cost."""
    paths = {
        label: _path(workspace, system, plan.table)
        for label, system in systems_of(plan.table).items()
        if label in plan.rows
    }
    return {label: read_cost(path) for label, path in paths.items() if holds(path)}


def read_cost(path: Path) -> SystemCost:
    """Read one cost. Raises `HostError` if the file is damaged or does not match its name."""
    return read_kept(
        SystemCost,
        path,
        "cost",
        "count it again",
        name=lambda cost: _name(cost.system, cost.size, cost.num_classes),
    )


def _path(workspace: Workspace, system: System, table: Table) -> Path:
    return workspace.cost / f"{_name(system, table.cost_size or (), table.cost_classes)}.json"


def _name(system: System, size: tuple[int, ...], num_classes: int) -> str:
    return f"{system.key}-{'x'.join(map(str, size))}-{num_classes}"
