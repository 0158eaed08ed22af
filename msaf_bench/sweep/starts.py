"""Files that the backbones of a plan start from, by the name of a backbone or a system. No torch
here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msaf_bench.errors import UsageError, in_any_case, one_of
from msaf_bench.spec import Choice, Option, System
from msaf_bench.spec.stand_ins import BACKBONE, start_name
from msaf_bench.starting import OPTION, pinned, start_of
from msaf_bench.sweep.plan import Plan

EVERY = ""  #: stands for the one backbone that all rows and controls have
#: conditions of a sweep that starts from files: they take the place of the common pre-training
INSTEAD = {"pretrain_steps": 0}

Named = tuple[str, Path]  #: name of a backbone or a system, and its file
Given = str | Path | Mapping[str, str | Path]  #: a file, or files by name


def files_of(given: Given | None) -> list[Named]:
    """Return files with the names that they are for: `EVERY` for a file alone."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(name, Path(file)) for name, file in given.items()]
    return [(EVERY, Path(given))]


def with_starts(plan: Plan, given: Iterable[Named]) -> Plan:
    """Return the plan whose backbones start from files.

    A file is for every row and control with the backbone, or of the system, of its name; that of a
    system goes before that of its backbone. Rows without a file start from random weights.

    Raises `UsageError` for a name that no row has or that the preset replaces, a file for no name
    where the rows have several backbones, two files for one row, a file that cannot be read, and
    conditions with a common pre-training. Whether a file fits is seen when the systems are built.
    """
    given = tuple(given)
    if not given:
        return plan
    if plan.conditions.pretrain_steps:
        raise UsageError(
            "--start takes the place of the common pre-training; leave pretrain_steps out"
        )
    files: dict[str, Option] = {}
    for name, path in given:
        key = _known_name(name, path, plan)
        if key in files:
            raise UsageError(f"--start: two files for {key}, {files[key]} and {path}; give one")
        files[key] = path.as_posix()
    systems = _systems(plan)
    _check_used(files, systems)
    start = {name: _pinned(Path(str(file))) for name, file in files.items()}
    conditions = plan.conditions.model_copy(update={"start": tuple(sorted(start.items()))})
    return plan.model_copy(update={"conditions": conditions})


def _systems(plan: Plan) -> dict[str, System]:
    return {label: system for label, (system, _) in plan.subjects().items()}


def _backbones(systems: Mapping[str, System]) -> dict[str, Choice]:
    """Return the backbone of each system that has one."""
    slots = {label: dict(system.slots) for label, system in systems.items()}
    return {label: own[BACKBONE] for label, own in slots.items() if BACKBONE in own}


def _known_name(name: str, path: Path, plan: Plan) -> str:
    """Return the backbone or system that a name stands for. Raises `UsageError`."""
    systems = _systems(plan)
    backbones = _backbones(systems)
    used = sorted({choice.use for choice in backbones.values()})
    if name == EVERY:
        if len(used) == 1:
            return used[0]
        raise UsageError(
            f"--start {path}: the rows have {len(used)} backbones ({', '.join(used)}); say which,"
            f" as in --start {used[0]}={path.name}"
        )
    known = {*used, *(system.name for system in systems.values())}
    found = in_any_case(name, known)
    if found in known:
        return found
    as_published = _backbones(_systems(_unshrunk(plan)))
    stand_ins = {
        str(backbones[label])
        for label, choice in as_published.items()
        if choice.use == name and label in backbones
    }
    if stand_ins:
        raise UsageError(
            f"--start {name}={path}: preset {plan.conditions.preset} runs"
            f" {', '.join(sorted(stand_ins))} in place of {name}; give a file for that, or choose a"
            f" preset that runs {name}"
        )
    return one_of("backbone or system of these rows", name, known)


def _unshrunk(plan: Plan) -> Plan:
    conditions = plan.conditions.model_copy(update={"shrink": (), "shrink_options": ()})
    return plan.model_copy(update={"conditions": conditions})


def _check_used(files: Mapping[str, Option], systems: Mapping[str, System]) -> None:
    """Raise `UsageError` for a row that has a file of its own, and for a file that no row takes."""
    taken: set[str] = set()
    for label, backbone in _backbones(systems).items():
        name = start_name(systems[label].name, backbone, files)
        if name is None:
            continue
        taken.add(name)
        if own := backbone.starts():
            raise UsageError(
                f"--start {name}={files[name]}: row {label!r} starts from {own[0]} by its own file;"
                " leave one out"
            )
    if unused := sorted(files.keys() - taken):
        raise UsageError(
            f"--start {unused[0]}={files[unused[0]]}: every row with it takes the file of its"
            " system; leave this one out"
        )


def _pinned(path: Path) -> str:
    """Return a file by its content. Raises `UsageError` where it is missing or cannot be read."""
    file = str(pinned({OPTION: str(path.expanduser().absolute())}, Path())[OPTION])
    start = start_of(OPTION, file)
    if start is None or not start.sha256:
        raise UsageError(f"--start {path}: no such file; give the file of a state dict")
    return file
