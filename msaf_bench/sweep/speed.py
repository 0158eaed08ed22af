"""The speed of every row: measured alone on this machine after the trials, since nothing can be timed beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msaf_bench.analyzers.speed.measure import Speed, SpeedConditions, measure_speed
from msaf_bench.records import Host, read_kept, write_kept
from msaf_bench.spec import System
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.plan import Plan, Workspace
from msaf_bench.sweep.trial import Setting

MODES: tuple[Literal["clip", "stream"], ...] = ("clip", "stream")
SECONDS, TIMEOUT = 1.5, 5.0  #: a process samples for 1.5 s, and for 5 s at most where its median is not known to 1 % by then


def measure_rows(plan: Plan, setting: Setting, events: Events, *, num_classes: int, processes: int) -> None:
    """Times what was not timed yet under these conditions, in both modes, and leaves a file for each row and mode."""
    here = setting.host()
    for mode in MODES:
        conditions = SpeedConditions(
            size=plan.conditions.size,
            mode=mode,
            device=setting.device,
            precision=plan.conditions.precision,
            threads=setting.threads,
            processes=processes,
            seconds=SECONDS,
            timeout=TIMEOUT,
        )
        missing = {
            label: system
            for label, system in plan.systems().items()
            if not any(_same(speed, conditions, num_classes, here) for speed in _read(setting.workspace, system, [mode]))
        }
        if not missing:
            continue
        for speed in measure_speed(missing, conditions, num_classes=num_classes, plugins=setting.plugins, on_note=events.note).values():
            write_kept(_path(setting.workspace, speed.system, mode), speed)


def _same(speed: Speed, conditions: SpeedConditions, num_classes: int, here: Host) -> bool:
    """Whether it was timed, as asked, on a machine like this."""
    asked = (conditions, num_classes, here.cpu, here.device)
    return not speed.reason and (speed.conditions, speed.num_classes, speed.host.cpu, speed.host.device) == asked


def read_speeds(plan: Plan, workspace: Workspace) -> Mapping[str, Sequence[Speed]]:
    """What was timed of every row, by label. Raises `HostError` for a file that is none of these."""
    return {label: _read(workspace, system, MODES) for label, system in plan.systems().items()}


def _path(workspace: Workspace, system: System, mode: str) -> Path:
    return workspace.speed / f"{system.key}-{mode}.json"


def _read(workspace: Workspace, system: System, modes: Sequence[str]) -> list[Speed]:
    paths = (_path(workspace, system, mode) for mode in modes)
    return [read_kept(Speed, path, "speed", "time it again") for path in paths if path.exists()]
