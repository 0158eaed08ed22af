"""Terminal output of `msaf-bench list` and `show`."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from msaf_bench.catalog import (
    LISTED_CLASSES,
    LISTED_SIZE,
    ListedCost,
    list_tables,
    preset_sections,
    read_conditions,
    read_costs,
    read_data_set,
    read_system,
    read_table,
    systems_of,
)
from msaf_bench.spec import STREET, Choice, Conditions, DataSet, Options, System, Table
from msaf_bench.spec.data_sets import Selection

WIDTH = 80  #: columns


def list_lines(names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the lines of `list`, by kind; kinds without names are left out."""
    writers = {
        "systems": _systems,
        "tables": _tables,
        "presets": _presets,
        "datasets": _data_sets,
    }
    written = [list(writers[kind](found)) for kind, found in names.items() if found]
    for lines in written:
        yield from (*lines, "")
    yield "`msaf-bench show NAME` prints the details of one name."


def _systems(names: Sequence[str]) -> Iterator[str]:
    costs, tables = read_costs(), tables_of_systems()
    yield f"{'System':<20}{'parameters':>12}{'GMAC':>10}  {'table':<8}title"
    for name in names:
        cost = costs.get(name)
        numbers = f"{'-':>12}{'-':>10}" if cost is None else _cost(cost)
        title = textwrap.shorten(read_system(name).title, WIDTH - 52, placeholder="...")
        yield f"{name:<20}{numbers}  {', '.join(tables.get(name, ())) or '-':<8}{title}"
    size = "x".join(map(str, LISTED_SIZE))
    yield f"GMAC: one clip at {size}, {LISTED_CLASSES} classes; 1 GMAC = 2 GFLOPs."


def _cost(cost: ListedCost) -> str:
    return f"{cost.params / 1e6:>10.1f} M{cost.macs / 1e9:>10,.1f}"


def tables_of_systems() -> dict[str, list[str]]:
    """Return, by system name, the tables in which the system is a row or the base."""
    found: dict[str, list[str]] = {}
    for name in list_tables():
        table = read_table(name)
        if not name.startswith("table"):
            continue
        used = {row.system or table.base for label, row in table.rows if label in table.built}
        for system in sorted(used):
            found.setdefault(system, []).append(name.removeprefix("table"))
    return found


def _tables(names: Sequence[str]) -> Iterator[str]:
    yield f"{'Table':<20}{'rows':>6}  title"
    for name in names:
        table = read_table(name)
        yield f"{name:<20}{len(table.rows):>6}  {table.title}"


def _presets(names: Sequence[str]) -> Iterator[str]:
    yield f"{'Preset':<20}{'frames':>10}{'steps':>8}{'batch':>7}  (on street)"
    for name in names:
        found = read_conditions(name, "street")
        yield f"{name:<20}{_size(found.size):>10}{found.steps:>8,}{found.batch:>7}"


def _data_sets(names: Sequence[str]) -> Iterator[str]:
    yield f"{'Data set':<20}{'classes':>10}{'frames':>12}  title"
    for name in names:
        if name == STREET:
            classes = len(read_data_set("camvid").classes)  # those of CamVid
            yield f"{name:<20}{classes:>10}{'any':>12}  Street videos, generated locally"
            continue
        found = read_data_set(name)
        size = _size(found.size) if found.size else "-"
        title = textwrap.shorten(found.title, WIDTH - 44, placeholder="...")
        yield f"{name:<20}{len(found.classes):>10}{size:>12}  {title}"


def data_set_lines(data_set: DataSet) -> Iterator[str]:
    """Yield the lines of one data set: source, contents and file patterns."""
    yield f"{data_set.name}: {data_set.title}"
    about = {"source": data_set.source, "licence": data_set.licence}
    for name, text in about.items():
        if text:
            yield from _item(name, text)
    yield from _item("classes", f"{len(data_set.classes)}: {', '.join(data_set.classes)}")
    if data_set.size:
        rate = f", {data_set.rate:g} Hz" if data_set.rate else ""
        yield from _item("frames", f"{_size(data_set.size)}{rate}")
    yield from _item(
        "spacing", f"{data_set.spacing} source frames from one frame of a clip to the next"
    )
    for split, own in data_set.splits:
        role = {data_set.train: "trained on", data_set.scored: "scored"}.get(split, "")
        count = f"{own.count:,} labelled frames" if own.count else ""
        chosen = "" if own.select == Selection() else str(own.select)
        yield from _item(split, ", ".join(filter(None, (role, count, chosen))))
    for layout in data_set.layouts:
        yield ""
        for text in layout.stills:
            yield from _item("stills", text)
        for text in layout.frames:
            yield from _item("frames", text)
        for form in layout.labels:
            yield from _item("labels", form.pattern)


def system_lines(system: System) -> Iterator[str]:
    """Yield the lines of one system: source, cost, and the component of each slot with options."""
    yield f"{system.name}: {system.title}"
    about = {"source": system.source, "licence": system.licence, "style": system.style}
    for name, text in about.items():
        if text:
            yield from _item(name, text)
    tables = tables_of_systems().get(system.name)
    if tables:
        yield from _item("table", ", ".join(tables))
    cost = read_costs().get(system.name)
    if cost is not None:
        size = "x".join(map(str, LISTED_SIZE))
        yield from _item(
            "cost",
            f"{cost.params:,} parameters; {cost.macs / 1e9:,.1f} GMAC for one clip at {size},"
            f" {LISTED_CLASSES} classes",
        )
    yield ""
    yield f"{'Slot':<16}component"
    yield from _item(
        "architecture", _choice(Choice(use=system.architecture, options=system.options))
    )
    for slot, choice in system.slots:
        yield from _item(slot, _choice(choice))


def preset_lines(name: str, conditions: Mapping[str, Conditions]) -> Iterator[str]:
    """Yield the lines of one preset: each condition per data set, on one line if all are equal.

    Data sets without their own section share one column, whose size is that of the last of them.
    """
    own = preset_sections(name)
    others = [data for data in conditions if data not in own]
    conditions = {data: conditions[data] for data in (*own, *others[-1:])}
    yield f"Preset {name} for variants of one system, one column per data set"
    if others:
        yield f"Column {others[-1]} is valid for all data sets without their own section"
    width = (WIDTH - 18) // len(conditions)
    yield f"{'Condition':<18}" + "".join(f"{data:<{width}}" for data in conditions).rstrip()
    for field in Conditions.model_fields:
        if field in ("preset", "data", "described"):
            continue
        values = [_value(getattr(each, field)) for each in conditions.values()]
        if len(set(values)) == 1:
            yield from _item(field, values[0], 18)
        elif all(len(value) < width for value in values):
            yield f"{field:<18}" + "".join(f"{value:<{width}}" for value in values).rstrip()
        else:
            for data, value in zip(conditions, values, strict=True):
                yield from _item(f"{field}", f"{data}: {value}", 18)


def table_lines(table: Table) -> Iterator[str]:
    """Yield the lines of one table: each row with its printed numbers and its components."""
    yield f"{table.source}: {table.title}"
    systems, claims = systems_of(table), table.claims()
    printed = {
        label: ", ".join(
            f"{claim.metric} {claim.value:g}{'†' if claim.dagger else ''}"
            for claim in claims
            if claim.row == label
        )
        for label, _ in table.rows
    }
    width = 2 + max(16, *map(len, printed.values()))
    for label, cells in printed.items():
        choices = (
            "  ".join(f"{slot}={choice}" for slot, choice in systems[label].slots)
            if label in systems
            else "only printed"
        )
        yield f"{label:<28}{cells or 'nothing printed':<{width}}{choices}"
    for claim in claims:
        if claim.dagger:
            yield f"† {claim.row}, {claim.metric}: {claim.provenance}"
    yield from _starts_of(systems)


def _starts_of(systems: Mapping[str, System]) -> Iterator[str]:
    """Yield the lines about the starting weights of the rows."""
    own = {label: system for label, system in systems.items() if system.starts()}
    for label, system in own.items():
        yield f"{label} starts from {system.start_text()}"
    rows = "the other rows start" if own else "every row starts"
    if len(own) < len(systems):
        yield (
            f"{rows} from random weights, from the common pre-training of a preset, or from a file"
            " given by ablate --start"
        )


def _choice(choice: Choice) -> str:
    options = _options(choice.options)
    return f"{choice.use} ({options})" if options else choice.use


def _options(options: Options) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in options)


def _value(value: object) -> str:
    """Format a condition's value: sizes as HxW, options as `name value`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ((), ""):
        return "-"
    if isinstance(value, Choice):
        return _choice(value)
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    items = cast("tuple[object, ...]", value)
    if len(items) == 2 and all(isinstance(item, int) for item in items):
        return "x".join(map(str, items))
    return ", ".join(_named(item) for item in items)


def _named(item: object) -> str:
    """Format an item of a list, an option as `name value`."""
    pair = cast("tuple[object, ...]", item) if isinstance(item, tuple) else ()
    if len(pair) == 2 and isinstance(pair[0], str):
        return f"{pair[0]} {_value(pair[1])}"
    return _value(cast("object", item))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _item(name: str, text: str, width: int = 16) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{name:<{width}}", subsequent_indent=" " * width
    )
