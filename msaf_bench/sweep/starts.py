"""Starting weights of a plan's backbones, by the name of a backbone or a system. No torch here."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msaf_bench.errors import UsageError, in_any_case, one_of
from msaf_bench.spec import Choice, Option, System
from msaf_bench.spec.stand_ins import BACKBONE, start_name
from msaf_bench.starting import OPTION, pinned, start_of
from msaf_bench.sweep.plan import Plan

EVERY = ""  #: name of the single backbone shared by all rows and controls
#: changed conditions of a sweep that starts from files: no common pre-training
INSTEAD = {"pretrain_steps": 0}

Named = tuple[str, Path]  #: name of a backbone or a system, and its file of weights
Given = str | Path | Mapping[str, str | Path]  #: a file, or files by name


def files_of(given: Given | None) -> list[Named]:
    """Return the files by the name of their backbone or system; `EVERY` for a single file."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(name, Path(file)) for name, file in given.items()]
    return [(EVERY, Path(given))]


def with_starts(plan: Plan, given: Iterable[Named]) -> Plan:
    """Return the plan with backbones that start from files.

    A file applies to every row and control with a backbone, or of a system, of its name; a system's
    file takes precedence. Rows without a file start from random weights. Whether a file fits is
    checked when the systems are built.

    Raises `UsageError` for a name that no row has or that the preset replaces, a file without a
    name if the rows have several backbones, two files for one row, a file that no row uses, an
    unreadable file, or conditions with a common pre-training.
    """
    given = tuple(given)
    if not given:
        return plan
    if plan.conditions.pretrain_steps:
        raise UsageError("--start replaces the common pre-training; omit pretrain_steps")
    files: dict[str, Option] = {}
    for name, path in given:
        key = _known_name(name, path, plan)
        if key in files:
            raise UsageError(f"--start: two files for {key}, {files[key]} and {path}; omit one")
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
    """Return the backbone or system with this name. Raises `UsageError` if it is unknown."""
    systems = _systems(plan)
    backbones = _backbones(systems)
    used = sorted({choice.use for choice in backbones.values()})
    if name == EVERY:
        if len(used) == 1:
            return used[0]
        raise UsageError(
            f"--start {path}: the rows have {len(used)} backbones ({', '.join(used)}); name one of"
            f" them, as in --start {used[0]}={path.name}"
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
            f" {', '.join(sorted(stand_ins))} instead of {name}; give a file for the former, or"
            f" choose a preset that runs {name}"
        )
    return one_of("backbone or system of these rows", name, known)


def _unshrunk(plan: Plan) -> Plan:
    conditions = plan.conditions.model_copy(update={"shrink": (), "shrink_options": ()})
    return plan.model_copy(update={"conditions": conditions})


def _check_used(files: Mapping[str, Option], systems: Mapping[str, System]) -> None:
    """Raise `UsageError` if a row already has its own file, or if no row uses a file."""
    taken: set[str] = set()
    for label, backbone in _backbones(systems).items():
        name = start_name(systems[label].name, backbone, files)
        if name is None:
            continue
        taken.add(name)
        if own := backbone.starts():
            raise UsageError(
                f"--start {name}={files[name]}: row {label!r} already starts from {own[0]};"
                " omit one of them"
            )
    if unused := sorted(files.keys() - taken):
        raise UsageError(
            f"--start {unused[0]}={files[unused[0]]}: not used, every row with this backbone uses"
            " the file of its system; omit this one"
        )


def _pinned(path: Path) -> str:
    """Return a file identified by content. Raises `UsageError` if it is missing or unreadable."""
    file = str(pinned({OPTION: str(path.expanduser().absolute())}, Path())[OPTION])
    start = start_of(OPTION, file)
    if start is None or not start.sha256:
        raise UsageError(f"--start {path}: no such file; give the file of a state dict")
    return file
