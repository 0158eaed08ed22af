"""Systems under the conditions of a run: stand-ins for their parts, and starting weights.

No torch here.
"""

from collections.abc import Mapping

from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec.conditions import Conditions
from msaf_bench.spec.systems import Choice, Slots, System
from msaf_bench.spec.values import Option, Parts
from msaf_bench.starting import OPTION

BACKBONE = "backbone"  #: slot with a component that can start from a file
NONE = "none"  #: component of an empty slot


def with_parts(system: System, parts: Parts) -> System:
    """Return the system with further options of the components in some slots.

    Raises `UsageError` for an unknown or empty slot.
    """
    slots = dict(system.slots)
    for slot, options in parts:
        one_of("slot", slot, slots)
        if slots[slot].use == NONE:
            raise UsageError(f"parts.{slot}: this slot is empty here; swap a component in")
        slots[slot] = _with_options(slots[slot], dict(options))
    return system.swap(tuple(slots.items())) if parts else system


def shrunk(system: System, conditions: Conditions, said: Slots = ()) -> System:
    """Return the system as run under the conditions.

    A stand-in with the name of a slot fills it. One with the name of a component replaces it in
    every slot: either by another component with its options, or by the same component with
    additional options. One with the name of an architecture adds options to it. The backbone then
    starts from the file in `conditions.start` for the system's name, or else for the backbone's
    name.

    `said` holds the slots filled by a row of a table. Their components stay, and their options take
    precedence over a stand-in's options.

    Raises `UsageError` if a stand-in would replace an architecture by another one.
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
            f"shrink: {own.use!r} cannot stand in for architecture {system.architecture!r}; only"
            " its options can change"
        )
    options = own.options if own else ()
    return system.swap(tuple(slots.items()), options + conditions.shrink_options)


def start_name(system: str, backbone: Choice | None, files: Mapping[str, Option]) -> str | None:
    """Return the name that has a file for a system with this backbone.

    It is the system's own name, or else the backbone's; None if neither has a file.
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
    """Raise `UsageError` if a stand-in would silently discard starting weights.

    This happens if it replaces a component with starting weights of its own. For `said`, see
    `shrunk`.
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
