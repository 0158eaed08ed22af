"""`msaf-bench list`, `show`, `check` and `doctor`: inspect specs and the machine."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from msaf_bench.cli.options import Json, Plugins, split_list, systems, tables
from msaf_bench.cli.printing import print_document, print_json
from msaf_bench.errors import UsageError, in_any_case, one_of

KINDS = ("systems", "tables", "presets", "datasets")


def list_specs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KIND|PATTERN",
            help=(
                "Kinds to list (systems, tables, presets, datasets; all by default) and name"
                " patterns, matched in any case, e.g. '*msaf*'."
            ),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the systems, tables, presets and data sets, or those that match a pattern. For each
    system the list gives the number of parameters, the GMAC for one clip at 512x1024 with 19
    classes, and the tables it appears in.
    """
    from msaf_bench.catalog import list_data_sets, list_presets, list_systems, list_tables

    kinds, patterns = _kinds_of(split_list(words, KINDS))
    found = {
        "systems": list_systems(),
        "tables": list_tables(),
        "presets": list_presets(),
        "datasets": list_data_sets(),
    }
    kept = {kind: tuple(name for name in found[kind] if _matches(name, patterns)) for kind in kinds}
    if patterns and not any(kept.values()):
        raise UsageError(
            f"no {' or '.join(kinds)} match {', '.join(patterns)}; `msaf-bench list` prints all"
        )
    if as_json:
        print_json(kept)
        return
    from msaf_bench.cli.inspect_text import list_lines

    typer.echo("\n".join(list_lines(kept)))


def _kinds_of(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Split the words of `list` into kinds of names and patterns."""
    kinds = tuple(kind for kind in KINDS if kind in words or kind.removesuffix("s") in words)
    patterns = [word for word in words if word not in KINDS and f"{word}s" not in KINDS]
    return kinds or KINDS, patterns


def _matches(name: str, patterns: list[str]) -> bool:
    """Return whether a name matches a pattern, in any case; true without patterns."""
    return not patterns or any(
        fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns
    )


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=lambda: (*systems(), *tables()),
            help="Name of a system, table, preset or data set, or a .toml file of your own.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Print one system, table, preset or data set in full. Inherited values are resolved. With
    --json the complete spec is printed.
    """
    from msaf_bench.catalog import (
        is_data_set,
        list_data_sets,
        list_presets,
        list_systems,
        list_tables,
        read_conditions,
        read_data_set,
        read_system,
        read_table,
        systems_of,
    )
    from msaf_bench.cli.inspect_text import (
        data_set_lines,
        preset_lines,
        system_lines,
        table_lines,
    )

    on_disk = list_data_sets()[1:]
    known = (*list_presets(), *list_systems(), *list_tables(), *on_disk)
    name = in_any_case(name, known)
    shown: Mapping[str, object]
    if name in list_presets():
        conditions = {data: read_conditions(name, data) for data in list_data_sets()}
        shown = {data: each.model_dump(mode="json") for data, each in conditions.items()}
        lines = preset_lines(name, conditions)
    elif name in on_disk or is_data_set(name):
        data_set = read_data_set(name)
        shown, lines = data_set.model_dump(mode="json"), data_set_lines(data_set)
    elif name in list_systems():
        system = read_system(name)
        shown, lines = system.model_dump(mode="json"), system_lines(system)
    elif name in list_tables() or name.isdigit() or name.endswith(".toml"):
        table = read_table(name)
        rows = {label: each.model_dump(mode="json") for label, each in systems_of(table).items()}
        shown, lines = {**table.model_dump(mode="json"), "systems": rows}, table_lines(table)
    else:
        one_of("name", name, known)
        raise AssertionError
    print_document(shown, lines, as_json=as_json)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE",
            autocompletion=tables,
            help="Tables to check: names or .toml files. All tables by default.",
        ),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Check that tables, their systems, all presets and data sets can be built. Unknown components
    or options and duplicate rows are errors.
    """
    from msaf_bench.architectures import builtin
    from msaf_bench.catalog import (
        list_data_sets,
        list_presets,
        list_systems,
        list_tables,
        read_conditions,
        read_system,
        read_table,
    )
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.sweep.plan import make_plan
    from msaf_bench.sweep.preflight import check_systems

    modules = use_plugins(plugins)
    registry = builtin().extend(modules)
    for name in list_systems():
        registry.check(read_system(name))
    for preset in list_presets():
        for data in list_data_sets():
            read_conditions(preset, data)
    for name in split_list(names, list_tables()) or list_tables():
        table = read_table(name)
        for preset in list_presets():
            conditions = read_conditions(preset, "street", systems=not table.base)
            check_systems(make_plan(table, conditions, table.built, plugins=modules))
        built = f" ({len(table.built)} can be run)" if len(table.built) < len(table.rows) else ""
        typer.echo(
            f"{table.name}: {len(table.rows)} rows{built}, {len(table.claims())} printed"
            " numbers, ok"
        )


def doctor(as_json: Json = False) -> None:
    """Print the packages, devices and memory of this machine. For a missing or broken package the
    output says whether it is needed.
    """
    import importlib

    from msaf_bench.host import Host, device_name, devices
    from msaf_bench.inherited import ANYWHERE, CUDA, RAY, inherited

    packages: dict[str, str] = {}
    for name in ("torch", "ray", "fvcore", "ptflops", "cv2", "scipy", "matplotlib", "torchvision"):
        try:
            packages[name] = str(getattr(importlib.import_module(name), "__version__", "installed"))
        except ImportError:
            packages[name] = "not installed"
        except Exception as error:  # noqa: BLE001  (a broken torchvision raises RuntimeError)
            packages[name] = f"broken: {str(error).splitlines()[0]}"
    import torch

    found = [f"{device} {device_name(device)}".strip() for device in devices()]
    host: dict[str, object] = Host.here(threads=torch.get_num_threads()).model_dump(mode="json")
    environment = inherited({**RAY, **CUDA, **ANYWHERE})
    if as_json:
        print_json(
            {"host": host, "devices": found, "packages": packages, "environment": environment}
        )
        return
    for key, value in {**host, "devices": ", ".join(found)}.items():
        typer.echo(f"{key:<12}{value}")
    for name, state in packages.items():
        typer.echo(f"{name:<12}{state}{_advice(name, state)}")
    for text in environment:
        typer.echo(text)


def _advice(name: str, state: str) -> str:
    if state[:1].isdigit() or state == "installed":
        return ""
    optional = {
        "ray": "use --on local",
        "torchvision": "not needed",
        "fvcore": "its count is left out",
        "ptflops": "its count is left out",
    }
    return f"  ({optional.get(name, 'required; reinstall msaf-bench')})"
