"""Specs by name. No torch here.

Systems are in `models/`, tables, presets and search spaces in `ablations/`, data sets in
`datasets/`.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from pydantic import ValidationError

from msaf_bench.errors import UsageError, in_any_case, one_of
from msaf_bench.folders import is_litter
from msaf_bench.inputs import parse_toml, read_toml
from msaf_bench.spec import (
    STREET,
    Conditions,
    Control,
    DataSet,
    Options,
    Ordering,
    Row,
    Spec,
    System,
    Table,
)
from msaf_bench.spec.faults import first_fault
from msaf_bench.spec.search import Space, Tuned
from msaf_bench.spec.stand_ins import shrunk, with_parts
from msaf_bench.starting import pinned

S = TypeVar("S", bound=Spec)
Content = dict[str, object]  #: content of a TOML file

ANY = "any"  #: section of a preset for data sets without their own section
LISTED_SIZE, LISTED_CLASSES = (512, 1024), 19  #: (H, W) and K of the costs from `read_costs`
#: conditions that cannot be changed, each with a remedy
FIXED = {
    "preset": "use --preset",
    "data": "use --data",
    "described": "use --data",
    "start": "use --start",
    "watermark": "it belongs to the preset",
}
#: conditions that are themselves tables of options
WITH_OPTIONS = ("data_options", "shrink", "shrink_options", "rates")


def list_systems() -> tuple[str, ...]:
    """Return the names of the systems in `models/`."""
    return _names("models")


def list_tables() -> tuple[str, ...]:
    """Return the names of the tables in `ablations/`."""
    return _names("ablations")


def list_presets() -> tuple[str, ...]:
    """Return the names of the presets in `ablations/presets/`."""
    return _names("ablations/presets")


def list_spaces() -> tuple[str, ...]:
    """Return the names of the search spaces in `ablations/spaces/`."""
    return _names("ablations/spaces")


def list_data_sets() -> tuple[str, ...]:
    """Return the names of the data sets: street, and those in `datasets/`."""
    return (STREET, *_names("datasets"))


class ListedCost(NamedTuple):
    """Cost of one system per clip at `LISTED_SIZE`, with `LISTED_CLASSES` classes."""

    params: int
    macs: int


def read_costs() -> dict[str, ListedCost]:
    """Read the cost of each system in `models/`, by name.

    The file is written by `analyzers.cost.listed`.
    """
    kept: dict[str, dict[str, int]] = json.loads((_folder("models") / "costs.json").read_text())
    return {name: ListedCost(**cost) for name, cost in kept.items()}


def read_system(name: str) -> System:
    """Read a system by its name in `models/`, or from a `.toml` path.

    Raises `UsageError` if it is unknown or not valid.
    """
    return read_spec(System, "models", "system", name)


def read_table(name: str) -> Table:
    """Read a table by its name in `ablations/` (`table3` or just `3`), or from a `.toml` path.

    Raises `UsageError` if it is unknown or not valid.
    """
    table = read_spec(Table, "ablations", "table", f"table{name}" if name.isdigit() else name)
    if table.data:
        try:
            one_of("data set", table.data, list_data_sets())
        except UsageError as error:
            raise UsageError(f"{table.name}: {error}") from error
    return table


def read_space(name: str) -> Space:
    """Read a search space by its name in `ablations/spaces/`, or from a `.toml` path.

    Raises `UsageError` if it is unknown or not valid.
    """
    return read_spec(Space, "ablations/spaces", "search space", name)


def read_tuned(path: Path) -> Tuned:
    """Read the outcome of a search from its file. Raises `UsageError` if it is not valid."""
    content = read_toml(path)
    return _parse(Tuned, path.name, {"name": path.stem, **content})


def read_data_set(name: str) -> DataSet:
    """Read a data set by its name in `datasets/`, or from a `.toml` path.

    Raises `UsageError` if it is unknown or not valid.
    """
    return read_spec(DataSet, "datasets", "data set", name)


def is_data_set(name: str) -> bool:
    """Return whether a path ends in `.toml` and its file describes a data set, judged by its keys.

    Raises `UsageError` if the file cannot be read.
    """
    return name.endswith(".toml") and "classes" in read_toml(Path(name))


def data_set_of(conditions: Conditions) -> DataSet:
    """Return the data set on disk named by the conditions. Raises `UsageError` if it is unknown."""
    return conditions.described or read_data_set(conditions.data)


def read_conditions(
    preset: str,
    data: str,
    changes: Mapping[str, object] | None = None,
    *,
    systems: bool = False,
    readers: Collection[str] = (),
) -> Conditions:
    """Read a preset's conditions for a data set, with `changes` on top.

    Args:
        preset: Name in `ablations/presets/`, or a path that ends in `.toml`.
        data: Name of the data set, or a path that ends in `.toml`.
        changes: Conditions to replace.
        systems: Use the preset's settings for comparing whole systems, each with its own backbone.
            Default: the settings for variants of one system.
        readers: Names of data sets that plug-ins read.

    Raises:
        UsageError: The preset or data set is unknown, or a value is not valid.
    """
    described = None
    if data.endswith(".toml"):
        described = read_data_set(data)
        data = described.name
        if data in (STREET, *readers):
            raise UsageError(f"data set {data!r} has a name that is taken; rename its file")
    else:
        data = in_any_case(data, list_data_sets())
        one_of("data set", data, {*list_data_sets(), *readers})
    place, content = _load("ablations/presets", "preset", preset)
    for_systems = content.pop("systems", {})
    if not isinstance(for_systems, dict):
        raise UsageError(
            f"{place}: systems: a section [systems] of conditions, not {for_systems!r:.80}"
        )
    more = cast("Content", for_systems)
    known = {*list_data_sets(), *readers, data, ANY}
    sections, more_sections = _pop_sections(content, known), _pop_sections(more, known)
    if data not in sections and ANY not in sections:
        one_of(f"data set of preset {preset}", data, sections)
    content |= sections.get(data) or _for_any(sections[ANY], described, data, readers)
    if systems:
        content |= {**more, **more_sections.get(data, {})}
    own: Content = {"preset": preset, "data": data}
    if described:
        own["described"] = described
    return _parse(Conditions, place, {**own, **content, **pinned(changes or {}, Path())})


def preset_sections(preset: str) -> tuple[str, ...]:
    """Return the data sets that have their own section in a preset."""
    _, content = _load("ablations/presets", "preset", preset)
    return tuple(name for name in list_data_sets() if isinstance(content.get(name), dict))


def _for_any(
    section: Content, described: DataSet | None, data: str, readers: Collection[str]
) -> Content:
    """Return a preset's section for any data set, completed with this one's frame spacing and size.

    A preset's size stands for an area: frames keep their aspect ratio and are never enlarged.
    """
    if data in readers:
        return {"train_spacing": 1, "score_spacing": 1, **section}
    data_set = described or read_data_set(data)
    spacing = {"train_spacing": data_set.spacing, "score_spacing": data_set.spacing}
    size, crop = section.get("size"), section.get("crop")
    found: Content = {**spacing, **section}
    if data_set.size and isinstance(size, list):
        found["size"] = _fitted(data_set.size, cast("list[int]", size))
    if isinstance(crop, list):
        sides = zip(cast("list[int]", crop), cast("list[int]", found["size"]), strict=True)
        found["crop"] = [min(pair) for pair in sides]
    return found


def _fitted(native: tuple[int, int], area: Sequence[int]) -> list[int]:
    """Return (H, W) of frames scaled down to the area of another size, in multiples of 8.

    Frames that are already smaller keep their size.
    """
    height, width = native
    scale = (area[0] * area[1] / (height * width)) ** 0.5
    if scale >= 1:
        return [height, width]
    return [max(8, 8 * round(scale * side / 8)) for side in native]


def changed(conditions: Conditions, changes: Mapping[str, object], place: str) -> Conditions:
    """Return the conditions with some of them, or of their options, replaced.

    An option is named after its condition: `data_options.occluders`. Raises `UsageError`, naming
    the `place`, if a condition is unknown or fixed, or if a value is not valid.
    """
    if not changes:
        return conditions
    content: Content = dict(conditions.model_dump())
    for name, value in changes.items():
        condition, _, option = name.partition(".")
        if condition in FIXED:
            raise UsageError(f"{place}: {condition} cannot be changed; {FIXED[condition]}")
        try:
            one_of("condition", condition, Conditions.model_fields)
        except UsageError as error:
            raise UsageError(f"{place}: {error}") from error
        if option and condition not in WITH_OPTIONS:
            raise UsageError(f"{place}: {condition} has no options; write {condition}")
        own = pinned({option or condition: value}, Path())
        if option:
            pairs = cast("Mapping[str, object] | Iterable[tuple[str, object]]", content[condition])
            own = {condition: {**dict(pairs), **own}}
        content |= own
    return _parse(Conditions, place, content)


def _pop_sections(content: Content, known: Collection[str]) -> dict[str, Content]:
    """Take the sections for one data set, or for any, out of a preset."""
    names = [name for name in known if isinstance(content.get(name), dict)]
    return {name: cast("Content", content.pop(name)) for name in names}


def systems_of(table: Table, conditions: Conditions | None = None) -> dict[str, System]:
    """Return the system of each built row by label, shrunk according to the conditions.

    Rows that are only printed have no system. Raises `UsageError` if two rows are the same system
    under the same conditions.
    """
    resolved: dict[str, System] = {}
    owner: dict[tuple[str, Options], str] = {}
    for label in table.built:
        row = dict(table.rows)[label]
        try:
            system = _resolved(row, table.base, conditions)
        except UsageError as error:
            raise UsageError(f"{table.name}: row {label!r}: {error}") from error
        other = owner.setdefault((system.key, row.conditions), label)
        if other != label:
            raise UsageError(
                f"{table.name}: rows {other!r} and {label!r} are the same system; change one swap"
            )
        resolved[label] = system
    return resolved


def _resolved(row: Row | Control, base: str, conditions: Conditions | None) -> System:
    """Return the system of a row or control, shrunk according to the conditions if given."""
    published = read_system(row.system or base).swap(row.swap, row.options)
    parts = row.parts if isinstance(row, Row) else ()
    if conditions is None:
        return with_parts(published, parts)
    small = shrunk(published, conditions, row.swap)
    return with_parts(small.swap(options=row.options), parts)


def conditions_of(table: Table, conditions: Conditions) -> dict[str, Conditions]:
    """Return the conditions of each built row by label: the table's, with the row's own changes.

    Raises `UsageError` if a value is not valid.
    """
    return {
        label: changed(conditions, dict(row.conditions), f"{table.name}: row {label!r}")
        for label, row in table.rows
        if label in table.built
    }


def controls_of(table: Table, conditions: Conditions) -> dict[str, tuple[System, Conditions]]:
    """Return system and conditions of each control by label.

    The system is shrunk according to the conditions; `past` comes from the control. Raises
    `UsageError` if a control cannot be built.
    """
    found: dict[str, tuple[System, Conditions]] = {}
    for label, control in table.controls:
        try:
            system = _resolved(control, table.base, conditions)
        except UsageError as error:
            raise UsageError(f"{table.name}: control {label!r}: {error}") from error
        found[label] = (system, conditions.model_copy(update={"past": control.past}))
    return found


def printed_miou(table: Table) -> dict[str, float]:
    """Return the printed mIoU of each row that has one, by label."""
    return {
        label: value
        for label, row in table.rows
        if (value := dict(row.paper).get("miou")) is not None
    }


def orderings_of(table: Table) -> tuple[Ordering, ...]:
    """Return the paper's statements about the order of rows, then those implied by its numbers.

    The implied ones compare the reference row with each other row.
    """
    printed, reference = printed_miou(table), table.reference
    said = _pairs_of(table.orderings)
    implied: list[Ordering] = []
    for label in printed:
        pair = (label, reference)
        if label not in table.built or reference not in printed or frozenset(pair) in said:
            continue
        if printed[label] != printed[reference]:
            worse, better = sorted(pair, key=printed.__getitem__)
            implied.append(Ordering(better=better, worse=worse, source="printed numbers"))
    return (*table.orderings, *implied)


def family_of(table: Table) -> int:
    """Return the number of pairs of rows that are compared, at least 1.

    The pairs are those of the orderings, and the reference row with every other row.
    """
    others = (label for label in table.built if label != table.reference)
    with_reference = {frozenset((label, table.reference)) for label in others}
    return max(1, len(_pairs_of(orderings_of(table)) | with_reference))


def _pairs_of(orderings: Iterable[Ordering]) -> set[frozenset[str]]:
    return {frozenset((ordering.better, ordering.worse)) for ordering in orderings}


def _root() -> Traversable:
    packaged = files("msaf_bench") / "_specs"  # in a wheel
    return packaged if packaged.is_dir() else Path(__file__).parents[1]  # in a checkout


def _folder(folder: str) -> Traversable:
    place = _root()
    for part in folder.split("/"):
        place = place / part
    return place


def _names(folder: str) -> tuple[str, ...]:
    names = (path.name for path in _folder(folder).iterdir())
    specs = (name for name in names if name.endswith(".toml") and not is_litter(name))
    return tuple(sorted(name.removesuffix(".toml") for name in specs))


def _load(folder: str, what: str, name: str) -> tuple[str, Content]:
    if name.endswith(".toml"):
        return Path(name).name, pinned(read_toml(Path(name)), Path(name).parent)
    path = _folder(folder) / f"{one_of(what, name, _names(folder))}.toml"
    return path.name, pinned(parse_toml(path.read_text("utf-8")), Path(str(path)).parent)


def read_spec(kind: type[S], folder: str, what: str, name: str) -> S:
    """Read a spec by its name in a folder, or from a path that ends in `.toml`.

    Args:
        kind: Class of the spec.
        folder: Folder of the specs in this package.
        what: Name of this kind of spec in errors.
        name: Name in `folder`, or a path that ends in `.toml`.

    Raises:
        UsageError: The spec is unknown or not valid.
    """
    place, content = _load(folder, what, in_any_case(name, _names(folder)))
    return _parse(kind, place, {"name": place.removesuffix(".toml"), **content})


def _parse(kind: type[S], place: str, content: Content) -> S:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{place}: {first_fault(kind, error, content)}") from error
