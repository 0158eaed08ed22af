"""Systems as the conditions run them: stand-ins for their parts, and the files that backbones start
from. No torch here.
"""

from collections.abc import Mapping

from msaf_bench.errors import UsageError
from msaf_bench.spec.conditions import Conditions
from msaf_bench.spec.systems import Choice, System
from msaf_bench.spec.values import Option
from msaf_bench.starting import OPTION

BACKBONE = "backbone"  #: the slot whose component starts from a file


def shrunk(system: System, conditions: Conditions) -> System:
    """Return the system as the conditions run it.

    A stand-in named like a slot fills it, one named like a component replaces that wherever it is
    chosen: another component with its options, or the same with the given options beside its own.
    One named like an architecture adds options to it. The backbone then starts from the file that
    `conditions.start` has for the system's name, else for the backbone's.

    Raises `UsageError` for an architecture in the place of another.
    """
    stand_ins = dict(conditions.shrink)
    slots = {
        slot: _stand_in(choice, stand_ins.get(slot) or stand_ins.get(choice.use) or choice)
        for slot, choice in system.slots
    }
    files = dict(conditions.start)
    if name := start_name(system.name, slots.get(BACKBONE), files):
        slots[BACKBONE] = _with_options(slots[BACKBONE], {OPTION: files[name]})
    own = stand_ins.get(system.architecture)
    if own and own.use != system.architecture:
        raise UsageError(
            f"shrink: {own.use!r} cannot stand in for architecture {system.architecture!r}; name"
            " that itself, with options"
        )
    options = own.options if own else ()
    return system.swap(tuple(slots.items()), options + conditions.shrink_options)


def start_name(system: str, backbone: Choice | None, files: Mapping[str, Option]) -> str | None:
    """Return the name under which the files have one for a system with this backbone: the system's
    own, else the backbone's; None where there is neither.
    """
    if backbone is None:
        return None
    return next((name for name in (system, backbone.use) if name in files), None)


def _stand_in(choice: Choice, other: Choice) -> Choice:
    return other if other.use != choice.use else _with_options(choice, dict(other.options))


def _with_options(choice: Choice, options: Mapping[str, Option]) -> Choice:
    changed = dict(choice.options) | dict(options)
    return choice.model_copy(update={"options": tuple(sorted(changed.items()))})


def check_weights_kept(system: System, conditions: Conditions) -> None:
    """Raises `UsageError` for a stand-in in the place of a component with starting weights of its
    own, which would be lost without a word.
    """
    stand_ins = dict(conditions.shrink)
    for slot, choice in system.slots:
        other = stand_ins.get(slot) or stand_ins.get(choice.use) or choice
        if other.use == choice.use or other.starts():
            continue
        for start in choice.starts():
            raise UsageError(
                f"{slot}: preset {conditions.preset} runs {other} in place of {choice.use}, without"
                f" its {start}; choose a preset that runs {choice.use}, or leave its weights out"
            )
