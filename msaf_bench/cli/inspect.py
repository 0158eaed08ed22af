"""`msaf-bench list`, `show`, `check`, `doctor`: what there is, what it says, whether it holds
together.
"""

from collections.abc import Mapping
from typing import Annotated

import typer

from msaf_bench.catalog import (
    list_presets,
    list_systems,
    list_tables,
    read_conditions,
    read_system,
    read_table,
    systems_of,
)
from msaf_bench.cli.printing import Json, print_json
from msaf_bench.errors import one_of
from msaf_bench.spec import DATA_SETS, Table

Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="Importable module with register(registry); may be repeated."),
]


def list_specs(as_json: Json = False) -> None:
    """The systems, tables and presets that can be named."""
    found = {"systems": list_systems(), "tables": list_tables(), "presets": list_presets()}
    if as_json:
        print_json(found)
        return
    for kind, names in found.items():
        typer.echo(f"{kind}: {', '.join(names)}")


def show(
    name: Annotated[str, typer.Argument(help="A system, table or preset, or a .toml file.")],
    as_json: Json = False,
) -> None:
    """One system, table or preset, resolved."""
    if name in list_presets():
        shown: Mapping[str, object] = {
            data: read_conditions(name, data).model_dump(mode="json") for data in DATA_SETS
        }
    elif name in list_systems():
        shown = read_system(name).model_dump(mode="json")
    elif name in list_tables() or name.isdigit() or name.endswith(".toml"):
        table = read_table(name)
        if not as_json:
            _print_table(table)
            return
        shown = table.model_dump(mode="json") | {
            "systems": {k: s.model_dump(mode="json") for k, s in systems_of(table).items()}
        }
    else:
        one_of("name", name, (*list_presets(), *list_systems(), *list_tables()))
        raise AssertionError
    print_json(shown)


def _print_table(table: Table) -> None:
    typer.echo(f"{table.source}: {table.title}")
    systems, claims = systems_of(table), table.claims()
    printed = {
        label: ", ".join(
            f"{claim.metric} {claim.value:g}{'†' * claim.dagger}"
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
        typer.echo(f"{label:<28}{cells or 'nothing printed':<{width}}{choices}")
    for claim in claims:
        if claim.dagger:
            typer.echo(f"† {claim.row}, {claim.metric}: {claim.provenance}")


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Tables or .toml files; all tables where none is named."),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Whether tables, their systems and all presets resolve to known components and options, no two
    rows the same.
    """
    from msaf_bench.architectures import builtin
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.sweep.plan import make_plan
    from msaf_bench.sweep.preflight import check_systems

    registry = builtin().extend(use_plugins(plugins))
    for name in list_systems():
        registry.check(read_system(name))
    for name in names or list_tables():
        table = read_table(name)
        for preset in list_presets():
            conditions = read_conditions(preset, "street", systems=not table.base)
            check_systems(make_plan(table, conditions, table.built, plugins=plugins or ()))
        built = f" ({len(table.built)} can be run)" if len(table.built) < len(table.rows) else ""
        typer.echo(
            f"{table.name}: {len(table.rows)} rows{built}, {len(table.claims())} printed"
            " numbers, ok"
        )


def doctor(as_json: Json = False) -> None:
    """What this machine has for the job: packages, devices, memory."""
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
        "fvcore": "that counter is left out",
        "ptflops": "that counter is left out",
    }
    return f"  ({optional.get(name, 'installing msaf-bench brings it')})"
