"""Evaluation of the shared options: conditions, roots and plug-ins."""

import sys
from collections.abc import Iterable
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import NamedTuple

from msaf_bench.catalog import changed, read_conditions
from msaf_bench.cli.options import at_most_cores, split_list
from msaf_bench.errors import DataError, UsageError
from msaf_bench.host import check_memory
from msaf_bench.inputs import parse_toml
from msaf_bench.spec import STREET, Conditions, Table


def check_data(data: str, root: Path | None, plugins: tuple[str, ...] = ()) -> Path | None:
    """Return the root of a data set, if it needs one; a `.toml` file's own folder is the default.

    Raises `UsageError` if the root is missing and `DataError` if the folder does not exist.
    """
    from msaf_bench.data import needed_root, root_of
    from msaf_bench.sweep.workspace import readers_for

    place = root_of(data, root)
    if data == STREET or data in readers_for(data, plugins):
        return read_root(place)
    return read_root(needed_root(data, place))


def use_plugins(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of the plug-ins and make those in the current folder importable.

    Child processes and Ray's workers inherit the changed `sys.path`; `main` restores it at the end
    of the command.
    """
    if names and str(Path.cwd()) not in sys.path:
        # Added last: a `random.py` in the folder must not shadow Python's own.
        sys.path.append(str(Path.cwd()))
    return tuple(split_list(names))


def read_root(root: Path | None) -> Path | None:
    """Return the folder as an absolute path, since workers run in other folders.

    Raises `DataError` if the folder does not exist.
    """
    if root is not None and not root.is_dir():
        raise DataError(f"--root {root}: no such folder; give the data set's own folder")
    return root.resolve() if root else None


def conditions_from(
    preset: str,
    data: str,
    changes: Iterable[str] | None,
    history: str | None = None,
    *,
    systems: bool = False,
    plugins: tuple[str, ...] = (),
) -> Conditions:
    """Return a preset's conditions with changes applied.

    Args:
        preset: Name of a preset or path of a `.toml` file.
        data: Name of a data set or path of a `.toml` file.
        changes: Changes as `key=value`, applied last.
        history: Value of --history, if given.
        systems: Whether the conditions are for whole systems; otherwise for variants of one system.
        plugins: Plug-ins that may register the data set's reader.

    Raises:
        UsageError: A name, key or value is invalid, or the conditions need too much memory.
    """
    from msaf_bench.sweep.workspace import readers_for

    readers = readers_for(data, plugins)
    conditions = read_conditions(preset, data, systems=systems, readers=tuple(readers))
    if history:
        conditions = changed(conditions, {"history": history}, f"--history {history}")
    for text in changes or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write key=value, e.g. --set steps=500")
        conditions = changed(conditions, {name.strip(): _value(value)}, f"--set {text}")
    check_memory(conditions)
    return conditions


class TableRun(NamedTuple):
    """Evaluated options of a command that runs a table."""

    conditions: Conditions
    root: Path | None
    plugins: tuple[str, ...]


def table_run(
    table: Table,
    *,
    preset: str,
    data: str,
    root: Path | None,
    changes: Iterable[str] | None,
    history: str | None,
    start: Iterable[str] | None,
    plugins: Iterable[str] | None,
    address: str | None,
    threads: int,
) -> TableRun:
    """Return the conditions, root and plug-ins for a table.

    Args:
        table: Table to run; without a base it compares whole systems.
        preset: Name of a preset or path of a `.toml` file.
        data: Name of a data set or path of a `.toml` file.
        root: Folder of the data set, if given.
        changes: Values of --set.
        history: Value of --history, if given.
        start: Values of --start; they turn the common pre-training off.
        plugins: Values of --plugin.
        address: Address of a Ray cluster; without one, `threads` is checked on this machine.
        threads: Number of CPU threads per process.

    Raises:
        UsageError: An option is invalid.
        DataError: The folder of the data set does not exist.
    """
    from msaf_bench.sweep.starts import INSTEAD

    if start:  # applied before the user's changes, which are refused if they undo it
        changes = [*(f"{key}={value}" for key, value in INSTEAD.items()), *(changes or ())]
    modules = use_plugins(plugins)
    conditions = conditions_from(
        preset, data, changes, history, systems=not table.base, plugins=modules
    )
    place = check_data(data, root, modules)
    if address is None:
        at_most_cores(threads)  # the machines of a cluster may have more cores than this one
    return TableRun(conditions, place, modules)


def _value(text: str) -> object:
    try:
        return parse_toml(f"value = {text}")["value"]
    except UsageError as error:
        if isinstance(error.__cause__, TOMLDecodeError):
            return text.strip()
        raise UsageError(f"--set: {error}") from error
