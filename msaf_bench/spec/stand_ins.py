"""Systems as the conditions run them: stand-ins for their parts, and the files that backbones start
from. No torch here.
"""

from collections.abc import Mapping

from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec.conditions import Conditions
from msaf_bench.spec.systems import Choice, Slots, System
from msaf_bench.spec.values import Option, Parts
from msaf_bench.starting import OPTION

BACKBONE = "backbone"  #: the slot whose component starts from a file
NONE = "none"  #: the component of a slot that nothing fills


def with_parts(system: System, parts: Parts) -> System:
    """Return the system with further options of the components in some slots.

    Raises `UsageError` for a slot that it does not have, or that nothing fills.
    """
    slots = dict(system.slots)
    for slot, options in parts:
        one_of("slot", slot, slots)
        if slots[slot].use == NONE:
            raise UsageError(f"parts.{slot}: nothing fills this slot here; swap a component in")
        slots[slot] = _with_options(slots[slot], dict(options))
    return system.swap(tuple(slots.items())) if parts else system


def shrunk(system: System, conditions: Conditions, said: Slots = ()) -> System:
    """Return the system as the conditions run it.

    `said` are the slots that a row of a table fills by itself: their components stay, and a
    stand-in's options give way to theirs.

    A stand-in named like a slot fills it, one named like a component replaces that wherever it is
    chosen: another component with its options, or the same with the given options beside its own.
    One named like an architecture adds options to it. The backbone then starts from the file that
    `conditions.start` has for the system's name, else for the backbone's.

    Raises `UsageError` for an architecture in the place of another.
    """
    stand_ins, own_slots = dict(conditions.shrink), dict(said)
    slots = {
        slot: _stand_in(choice, stand_ins.get(slot) or stand_ins.get(choice.use) or choice)
        for slot, choice in system.slots
        if slot not in own_slots
    }
    for slot, choice in own_slots.items():
        other = stand_ins.get(choice.use, choice)
        beside = dict(other.options) if other.use == choice.use else {}
        slots[slot] = _with_options(choice, beside | dict(choice.options))
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


def check_weights_kept(system: System, conditions: Conditions, said: Slots = ()) -> None:
    """Raises `UsageError` for a stand-in in the place of a component with starting weights of its
    own, which would be lost without a word; `said` as in `shrunk`.
    """
    stand_ins = dict(conditions.shrink)
    for slot, choice in system.slots:
        if slot in dict(said):
            continue
        other = stand_ins.get(slot) or stand_ins.get(choice.use) or choice
        if other.use == choice.use or other.starts():
            continue
        for start in choice.starts():
            raise UsageError(
                f"{slot}: preset {conditions.preset} runs {other} in place of {choice.use}, without"
                f" its {start}; choose a preset that runs {choice.use}, or leave its weights out"
            )
