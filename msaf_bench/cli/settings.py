"""Options that several commands share, and what they become."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any

import typer

from msaf_bench.catalog import FIXED, WITH_OPTIONS, read_conditions
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.inputs import parse_toml
from msaf_bench.spec import Conditions


def at_most(most: int, why: str, option: str | None = None) -> Callable[[Any], Any]:
    """Checks an option's number against a bound; the reason is part of the error."""

    def check(value: Any) -> Any:
        if value is not None and not value <= most:  # nor NaN
            raise typer.BadParameter(
                f"{value:,} is more than {most:,}: {why}.", param_hint=option and f"'{option}'"
            )
        return value

    return check


def at_most_cores(value: Any) -> Any:
    """Checks a number of threads: far more of them take all that the system has."""
    from msaf_bench.analyzers.speed import machine

    return at_most(machine.usable_cores(), "this machine has no more cores", "--threads")(value)


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


def use_plugins(names: Iterable[str] | None) -> tuple[str, ...]:
    """The plug-ins' names; they may lie in the current folder, which child processes and Ray's
    workers get too.
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
    base = read_conditions(preset, data, systems=systems)
    changed: dict[str, Any] = {"history": one_of("history", history, HISTORIES)} if history else {}
    for text in changes or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write key=value, e.g. --set steps=500")
        name, _, option = key.strip().partition(".")
        if name in FIXED:
            raise UsageError(f"--set {text}: {name} cannot be changed; {FIXED[name]}")
        if option and name not in WITH_OPTIONS:
            raise UsageError(f"--set {text}: {name} has no options; write {name}=value")
        if option:
            options = changed.setdefault(name, dict(getattr(base, name)))
            if not isinstance(options, dict):
                raise UsageError(
                    f"--set {text}: {name} was set to {options!r:.80} before; write one or the"
                    " other"
                )
            options[option] = _value(value)
        else:
            changed[name] = _value(value)
    try:
        return _fitting(
            read_conditions(preset, data, changed, systems=systems) if changed else base
        )
    except UsageError as error:
        raise UsageError(f"--set: {str(error).partition(': ')[2]}") from error


def _fitting(conditions: Conditions) -> Conditions:
    """The same conditions. Raises `UsageError` where their frames alone are more than this
    machine's memory.
    """
    c, made = conditions, dict(conditions.data_options)
    height, width = c.crop or c.size
    held = {
        f"a batch of {c.batch} clips of {c.frames} frames of {height}x{width}": (
            12 * c.batch * c.frames * height * width
        )
    }
    for split in ("train", "score"):
        videos, frames = made.get(f"{split}_videos", 1), made.get("video_frames", 1)
        if c.data == "street" and isinstance(videos, int) and isinstance(frames, int):
            held[f"{videos} videos of {frames} frames of {c.size[0]}x{c.size[1]}"] = (
                4 * videos * frames * c.size[0] * c.size[1]
            )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for what, size in held.items():
        if size > memory:
            raise UsageError(
                f"conditions: {what} take {size / 2**30:,.0f} GiB, this machine has"
                f" {memory / 2**30:,.0f}; use fewer or smaller"
            )
    return conditions


def _value(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except UsageError as error:
        if isinstance(error.__cause__, TOMLDecodeError):
            return text.strip()
        raise UsageError(f"--set: {error}") from error
