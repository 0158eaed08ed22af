"""What the options that commands share become: conditions, roots and plug-ins."""

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
    """The root of a data set that needs one; without one the folder of a file that describes it.
    Raises `UsageError` without any, `DataError` where it is not there.
    """
    from msaf_bench.data import needed_root, root_of
    from msaf_bench.sweep.workspace import readers_for

    place = root_of(data, root)
    if data == STREET or data in readers_for(data, plugins):
        return read_root(place)
    return read_root(needed_root(data, place))


def use_plugins(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the plug-ins' names, repeated or joined by commas. They may lie in the current folder,
    which child processes and Ray's workers get too; at the end of the command `main` takes it out
    of `sys.path` again.
    """
    if names and str(Path.cwd()) not in sys.path:
        # last: a `random.py` there must not stand for Python's own
        sys.path.append(str(Path.cwd()))
    return tuple(split_list(names))


def read_root(root: Path | None) -> Path | None:
    """The folder as an absolute path, since workers run elsewhere. Raises `DataError` where it is
    not there.
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
    """A preset's conditions with `key=value` changes on top, for whole systems or for variants of
    one. Raises `UsageError`.
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
    """What the options of a command that runs a table become."""

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
    """Return conditions, root and plug-ins for a table. Raises `UsageError` and `DataError`."""
    from msaf_bench.sweep.starts import INSTEAD

    if start:  # before the user's own, which are refused where they undo it
        changes = [*(f"{key}={value}" for key, value in INSTEAD.items()), *(changes or ())]
    modules = use_plugins(plugins)
    conditions = conditions_from(
        preset, data, changes, history, systems=not table.base, plugins=modules
    )
    place = check_data(data, root, modules)
    if address is None:
        at_most_cores(threads)  # a cluster's machines may have more than this one
    return TableRun(conditions, place, modules)


def _value(text: str) -> object:
    try:
        return parse_toml(f"value = {text}")["value"]
    except UsageError as error:
        if isinstance(error.__cause__, TOMLDecodeError):
            return text.strip()
        raise UsageError(f"--set: {error}") from error
