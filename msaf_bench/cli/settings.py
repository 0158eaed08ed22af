"""Options that several commands share, and what they become."""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from reprlib import repr as shortened
from tomllib import TOMLDecodeError
from typing import Annotated, TypeVar

import typer

from msaf_bench.catalog import changed, read_conditions
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.host import check_memory
from msaf_bench.inputs import parse_toml
from msaf_bench.spec import LONGEST_SIDE, Conditions

T = TypeVar("T")

MOST_SIZES = 100  #: that a command takes at once


def at_most(
    most: int, why: str, option: str | None = None
) -> Callable[[float | None], float | None]:
    """Return the check of an option's number against a bound; the reason is part of the error."""

    def check(value: float | None) -> float | None:
        if value is not None and not value <= most:  # nor NaN
            raise typer.BadParameter(
                f"{value:,} is more than {most:,}: {why}.", param_hint=option and f"'{option}'"
            )
        return value

    return check


def at_most_cores(value: float | None) -> float | None:
    """Check a number of threads: far more of them take all that the system has."""
    from msaf_bench.analyzers.speed import host

    return at_most(host.usable_cores(), "this machine has no more cores", "--threads")(value)


PROCESSES = at_most(100, "intervals hardly narrow beyond")  #: of processes that time
SEED = at_most(2**32 - 1, "generators of random numbers take 32 bits")  #: of a seed
Data = Annotated[str, typer.Option(help="Data set: street (made here), camvid or cityscapes.")]
Root = Annotated[Path | None, typer.Option(help="The data set's folder.")]
History = Annotated[
    str | None,
    typer.Option(
        help="Where a past frame does not exist: repeat (default), skip the clip, or error."
    ),
]
Preset = Annotated[str, typer.Option(help="Conditions: smoke, quick, standard or paper.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
THREADS = "CPU threads of each trial. Equal seeds give equal numbers for equal threads."
Threads = Annotated[int, typer.Option(min=1, callback=at_most_cores, help=THREADS)]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help=(
            "Change a condition, e.g. --set steps=500 or --set data_options.noise=0.8; may be"
            " repeated."
        ),
    ),
]


HISTORIES = ("repeat", "skip", "error")


def check_data(data: str, root: Path | None) -> Path | None:
    """The root of a data set that needs one. Raises `UsageError` without one, `DataError` where it
    is not there.
    """
    from msaf_bench.data import needed_root

    return read_root(root if data == "street" else needed_root(data, root))


def parse_size(text: str, option: str = "--size", *, most: int = LONGEST_SIDE) -> tuple[int, int]:
    """(H, W) of `1024x2048`. Raises `UsageError` for anything else, and for a side of more than
    `most`, by default that of a frame.
    """
    match = re.fullmatch(r"([0-9]{1,18})[xX]([0-9]{1,18})", text.strip())
    h, w = map(int, match.groups()) if match else (0, 0)
    if not h * w:
        raise UsageError(
            f"{option}: {shortened(text)} is not a size; write HxW from 1x1 on, as in 512x1024"
        )
    if max(h, w) > most:
        raise UsageError(
            f"{option}: {text} has a side of more than {most:,}; no frame has a longer one"
        )
    return h, w


def parse_list(text: str, parse: Callable[[str], T], option: str) -> list[T]:
    """What `parse` reads in each part between commas. Raises `UsageError` for more parts than
    anyone compares.
    """
    parts = text.split(",")
    if len(parts) > MOST_SIZES:
        raise UsageError(f"{option}: {len(parts):,} sizes; give at most {MOST_SIZES}")
    return [parse(part) for part in parts]


def use_plugins(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the plug-ins' names. They may lie in the current folder, which child processes and
    Ray's workers get too; at the end of the command `main` takes it out of `sys.path` again.
    """
    if names and str(Path.cwd()) not in sys.path:
        # last: a `random.py` there must not stand for Python's own
        sys.path.append(str(Path.cwd()))
    return tuple(names or ())


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
) -> Conditions:
    """A preset's conditions with `key=value` changes on top, for whole systems or for variants of
    one. Raises `UsageError`.
    """
    conditions = read_conditions(preset, data, systems=systems)
    if history:
        wanted = one_of("history", history, HISTORIES)
        conditions = changed(conditions, {"history": wanted}, f"--history {history}")
    for text in changes or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write key=value, e.g. --set steps=500")
        conditions = changed(conditions, {name.strip(): _value(value)}, f"--set {text}")
    check_memory(conditions)
    return conditions


def _value(text: str) -> object:
    try:
        return parse_toml(f"value = {text}")["value"]
    except UsageError as error:
        if isinstance(error.__cause__, TOMLDecodeError):
            return text.strip()
        raise UsageError(f"--set: {error}") from error
