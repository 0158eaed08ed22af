"""Finds and reads the specs: systems in `models/`, tables and presets in `ablations/`. No torch
here.
"""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from msaf_bench.errors import UsageError, one_of
from msaf_bench.folders import is_litter
from msaf_bench.inputs import parse_toml, read_toml
from msaf_bench.spec import DATA_SETS, Choice, Conditions, Ordering, Spec, System, Table
from msaf_bench.starting import pinned

S = TypeVar("S", bound=Spec)

#: conditions that nobody changes
FIXED = {"preset": "use --preset", "data": "use --data", "watermark": "it belongs to the preset"}
#: conditions that are options by name
WITH_OPTIONS = ("data_options", "shrink", "shrink_options", "rates")


def list_systems() -> tuple[str, ...]:
    """The names of the systems in `models/`."""
    return _names("models")


def list_tables() -> tuple[str, ...]:
    """The names of the tables in `ablations/`."""
    return _names("ablations")


def list_presets() -> tuple[str, ...]:
    """The names of the presets in `ablations/presets/`."""
    return _names("ablations/presets")


def read_system(name: str) -> System:
    """A system by its name in `models/`, or from a path that ends in `.toml`. Raises
    `UsageError`.
    """
    return read_spec(System, "models", "system", name)


def read_table(name: str) -> Table:
    """A table by its name in `ablations/` (`table3` or just `3`), or from a path that ends in
    `.toml`. Raises `UsageError`.
    """
    return read_spec(Table, "ablations", "table", f"table{name}" if name.isdigit() else name)


def read_conditions(
    preset: str, data: str, changes: Mapping[str, object] | None = None, *, systems: bool = False
) -> Conditions:
    """A preset's conditions on a data set, with `changes` on top. Raises `UsageError`.

    `systems` gives those under which whole systems are compared, each with a backbone of its own;
    else those of the variants of one.
    """
    place, content = _load("ablations/presets", "preset", preset)
    given: object = content.pop("systems", {})
    if not isinstance(given, dict):
        raise UsageError(f"{place}: systems: a section [systems] of conditions, not {given!r:.80}")
    whole = cast("dict[str, Any]", given)
    sections, of_systems = _by_data(content), _by_data(whole)
    section = sections.get(one_of(f"data set of preset {preset}", data, sections), {})
    more = {**whole, **of_systems.get(data, {})} if systems else {}
    return _parse(
        Conditions,
        place,
        {
            "preset": preset,
            "data": data,
            **content,
            **section,
            **more,
            **pinned(changes or {}, Path()),
        },
    )


def changed(conditions: Conditions, changes: Mapping[str, object], place: str) -> Conditions:
    """The conditions with some of them, or of their options (`data_options.occluders`), replaced.

    Raises `UsageError`, naming the `place`.
    """
    content: dict[str, Any] = dict(conditions.model_dump())
    for name, value in changes.items():
        condition, _, option = name.partition(".")
        if condition in FIXED:
            raise UsageError(f"{place}: {condition} cannot be changed; {FIXED[condition]}")
        if condition not in Conditions.model_fields:
            try:
                one_of("condition", condition, Conditions.model_fields)
            except UsageError as error:
                raise UsageError(f"{place}: {error}") from error
        if option and condition not in WITH_OPTIONS:
            raise UsageError(f"{place}: {condition} has no options; write {condition}")
        own = pinned({option or condition: value}, Path())
        content[condition] = {**dict(content[condition]), **own} if option else own[condition]
    return _parse(Conditions, place, content)


def _by_data(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Takes the sections that are for one data set out of a preset."""
    return {
        name: content.pop(name)
        for name in tuple(content)
        if isinstance(content[name], dict) and name in DATA_SETS
    }


def systems_of(table: Table, conditions: Conditions | None = None) -> dict[str, System]:
    """Row label -> system, shrunk as the conditions say; rows that are only printed have none.

    Raises `UsageError` if two rows are the same system.
    """
    resolved: dict[str, System] = {}
    for label in table.built:
        row = dict(table.rows)[label]
        try:
            system = read_system(row.system or table.base).swap(row.swap, row.options)
            resolved[label] = shrunk(system, conditions) if conditions else system
        except UsageError as error:
            raise UsageError(f"{table.name}: row {label!r}: {error}") from error
    owner: dict[str, str] = {}
    for label, system in resolved.items():
        if system.key in owner:
            raise UsageError(
                f"{table.name}: rows {owner[system.key]!r} and {label!r} are the same system;"
                " change one swap"
            )
        owner[system.key] = label
    return resolved


def controls_of(table: Table, conditions: Conditions) -> dict[str, tuple[System, Conditions]]:
    """Control label -> system, shrunk as the conditions say, and the conditions with the past that
    the control reads.

    Raises `UsageError` for one that cannot be built.
    """
    found: dict[str, tuple[System, Conditions]] = {}
    for label, control in table.controls:
        try:
            system = read_system(control.system or table.base).swap(control.swap, control.options)
            found[label] = (
                shrunk(system, conditions),
                conditions.model_copy(update={"past": control.past}),
            )
        except UsageError as error:
            raise UsageError(f"{table.name}: control {label!r}: {error}") from error
    return found


def printed_miou(table: Table) -> dict[str, float]:
    """The printed mIoU of each row that has one, by label."""
    return {
        label: value
        for label, row in table.rows
        if (value := dict(row.paper).get("miou")) is not None
    }


def orderings_of(table: Table) -> tuple[Ordering, ...]:
    """The paper's sentences, then what its printed numbers imply of the reference row against each
    other row.
    """
    printed, reference = printed_miou(table), table.reference
    said = {frozenset((o.better, o.worse)) for o in table.orderings}
    implied = [
        Ordering(
            better=max(pair, key=printed.__getitem__),
            worse=min(pair, key=printed.__getitem__),
            source="printed numbers",
        )
        for label in printed
        if label in table.built
        and frozenset(pair := (label, reference)) not in said
        and reference in printed
        and printed[label] != printed[reference]
    ]
    return (*table.orderings, *implied)


def family_of(table: Table) -> int:
    """How many pairs of rows are compared: those of the orderings, and the reference row with every
    other row; at least one.
    """
    said = {frozenset((o.better, o.worse)) for o in orderings_of(table)}
    return max(
        1,
        len(
            said
            | {
                frozenset((label, table.reference))
                for label in table.built
                if label != table.reference
            }
        ),
    )


def shrunk(system: System, conditions: Conditions) -> System:
    """The system as the conditions run it.

    A stand-in named like a slot fills it, one named like a component replaces that wherever it is
    chosen: another component with its options, or the same with the given options beside its own.
    One named like an architecture adds options to it. Raises `UsageError` for an architecture in
    the place of another.
    """
    stand_ins = dict(conditions.shrink)
    slots = {
        slot: _stand_in(choice, stand_ins.get(slot) or stand_ins.get(choice.use))
        for slot, choice in system.slots
    }
    own = stand_ins.get(system.architecture)
    if own and own.use != system.architecture:
        raise UsageError(
            f"shrink: {own.use!r} cannot stand in for architecture {system.architecture!r}; name"
            " that itself, with options"
        )
    return system.swap(
        tuple(slots.items()), (own.options if own else ()) + conditions.shrink_options
    )


def _stand_in(choice: Choice, other: Choice | None) -> Choice:
    if other is None or other.use != choice.use:
        return other or choice
    return choice.model_copy(
        update={"options": tuple(sorted((dict(choice.options) | dict(other.options)).items()))}
    )


def _root() -> Traversable:
    packaged = files("msaf_bench") / "_specs"  # in a wheel
    return packaged if packaged.is_dir() else Path(__file__).parents[1]  # in a checkout


def _folder(folder: str) -> Traversable:
    place = _root()
    for part in folder.split("/"):
        place = place / part
    return place


def _names(folder: str) -> tuple[str, ...]:
    return tuple(
        sorted(
            f.name.removesuffix(".toml")
            for f in _folder(folder).iterdir()
            if f.name.endswith(".toml") and not is_litter(f.name)
        )
    )


def _load(folder: str, what: str, name: str) -> tuple[str, dict[str, Any]]:
    if name.endswith(".toml"):
        return Path(name).name, pinned(read_toml(Path(name)), Path(name).parent)
    path = _folder(folder) / f"{one_of(what, name, _names(folder))}.toml"
    return path.name, pinned(parse_toml(path.read_text("utf-8")), Path(str(path)).parent)


def read_spec(kind: type[S], folder: str, what: str, name: str) -> S:
    """A spec by its name in `folder`, or from a path that ends in `.toml`; `what` it is called in
    an error. Raises `UsageError`.
    """
    place, content = _load(folder, what, name)
    return _parse(kind, place, {"name": place.removesuffix(".toml"), **content})


def _parse(kind: type[S], place: str, content: dict[str, Any]) -> S:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{place}: {_first_fault(kind, error, content)}") from error


def _first_fault(kind: type[Spec], error: ValidationError, content: dict[str, Any]) -> str:
    """Pydantic's first complaint as one line: where, what, and for an unknown key the nearest known
    one.
    """
    fault = error.errors(include_url=False)[0]
    path = list(fault["loc"])
    if path[:1] == ["rows"] and len(path) > 1 and isinstance(path[1], int):
        path[1] = repr(list(content["rows"])[path[1]])
    where = ".".join(str(part) for part in path if not isinstance(part, int))
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = kind.model_fields if len(fault["loc"]) == 1 else _fields_near(kind, key)
        try:
            one_of("key", key, known)
        except UsageError as hint:
            return f"{where}: {hint}"
    said = fault["msg"].removeprefix("Value error, ")
    given = f", not {fault['input']!r}" if where and len(repr(fault["input"])) < 40 else ""
    return f"{where}: {said}{given}" if where else said


def _fields_near(kind: type[Spec], key: str) -> set[str]:
    """The field names of every spec below `kind`, for a hint."""
    return {
        name for spec in (*Spec.__subclasses__(), kind) for name in spec.model_fields if name != key
    }
