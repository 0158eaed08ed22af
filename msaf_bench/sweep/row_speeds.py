"""Speed of every row, measured on this machine after the trials.

Timing would be wrong while trials run.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from msaf_bench.analyzers.speed.processes import measure_speed
from msaf_bench.analyzers.speed.tasks import Speed, SpeedConditions, SpeedTask
from msaf_bench.files import read_kept, write_kept
from msaf_bench.host import Host
from msaf_bench.packed import holds
from msaf_bench.spec import MODES, Mode, System
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Setting, Workspace

#: minimum sampling time per row, mode and process in seconds, and maximum if the median is not yet
#: known to 1 %
SECONDS, TIMEOUT = 0.1, 1.5


def measure_rows(
    plan: Plan, setting: Setting, events: Events, *, num_classes: int, processes: int
) -> None:
    """Time the rows and modes not yet timed under these conditions, and write one file each.

    All are timed together in the same processes.

    Args:
        plan: Plan of the sweep.
        setting: Folder, device and threads.
        events: Receives the progress.
        num_classes: Number of classes K.
        processes: Number of timing processes, one after the other.
    """
    here = setting.host()
    tasks = [
        SpeedTask(
            system=system,
            conditions=_conditions(plan, setting, mode, processes),
            num_classes=num_classes,
            plugins=setting.plugins,
        )
        for system in plan.systems().values()
        for mode in MODES
    ]
    missing = [
        task
        for task in tasks
        if not any(
            _same(speed, task, here) for speed in _read(setting.workspace, task.system, MODES)
        )
    ]
    if missing:
        height, width = plan.conditions.size
        rows = len({task.system.key for task in missing})
        what = f"{' and '.join(MODES)} at {height}x{width}, rows timed together: {rows}"
        begun = count()  # number of processes begun; each sends a note at its start

        def note(text: str) -> None:
            events.phase("speed", min(next(begun), processes), processes, what)

        for speed in measure_speed(missing, on_note=note):
            write_kept(_path(setting.workspace, speed.system, speed.conditions.mode), speed)


def _conditions(plan: Plan, setting: Setting, mode: Mode, processes: int) -> SpeedConditions:
    trained_in = plan.conditions.precision
    return SpeedConditions(
        size=plan.conditions.size,
        mode=mode,
        device=setting.device,
        precision="fp32" if trained_in == "tf32" else trained_in,
        threads=setting.threads,
        processes=processes,
        seconds=SECONDS,
        timeout=TIMEOUT,
        schedule="rounds",
    )


def _same(speed: Speed, task: SpeedTask, here: Host) -> bool:
    """Return whether a measurement matches the task and comes from a machine like this one."""
    asked = (task.conditions, task.num_classes, here.cpu, here.device)
    return (
        not speed.reason
        and (speed.conditions, speed.num_classes, speed.host.cpu, speed.host.device) == asked
    )


def read_speeds(plan: Plan, workspace: Workspace) -> Mapping[str, Sequence[Speed]]:
    """Read the measured speeds of every row by label. Raises `HostError` if a file is damaged."""
    return {label: _read(workspace, system, MODES) for label, system in plan.systems().items()}


def _path(workspace: Workspace, system: System, mode: str) -> Path:
    return workspace.speed / f"{_name(system, mode)}.json"


def _name(system: System, mode: str) -> str:
    return f"{system.key}-{mode}"


def _read(workspace: Workspace, system: System, modes: Sequence[str]) -> list[Speed]:
    paths = (_path(workspace, system, mode) for mode in modes)
    return [read_speed(path) for path in paths if holds(path)]


def read_speed(path: Path) -> Speed:
    """Read one speed. Raises `HostError` if it is damaged or not the one that its name says."""
    return read_kept(
        Speed,
        path,
        "speed",
        "time it again",
        name=lambda speed: _name(speed.system, speed.conditions.mode),
    )
