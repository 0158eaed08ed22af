"""Grouped plain-text help and lazily imported commands.

This module imports neither rich nor pydantic, so that --help answers at once.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol

import typer
from typer.core import TyperCommand, TyperGroup

from msaf_bench.cli.commands import COMMANDS, GROUPS, NESTED

PROGRAM = "msaf-bench"
OTHER = "Other options"
DEBUG = ("--debug", "Show the traceback of an error.")  #: removed by `main` at any position


class Option(Protocol):
    """Attributes of a typer parameter that this module reads."""

    param_type_name: str
    opts: list[str]
    secondary_opts: list[str]
    metavar: str | None
    help: str | None
    required: bool
    default: object
    show_default: bool | str
    rich_help_panel: str | None
    name: str


class Formatter(Protocol):
    """Methods of typer's help formatter that this module calls."""

    width: int

    def write(self, string: str) -> None: ...
    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


class Helped(TyperCommand):
    """A command whose help shows the options in groups and ends with examples."""

    def format_options(self, ctx: typer.Context, formatter: Formatter) -> None:  # pyright: ignore
        """Write the arguments and options by group, then the examples."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):  # pyright: ignore
            _add(groups, option)  # pyright: ignore
        groups.setdefault(OTHER, []).append(DEBUG)
        groups[OTHER] = groups.pop(OTHER)
        for name, rows in groups.items():
            _write(formatter, name, rows)
        path = ctx.command_path.removeprefix(PROGRAM).strip()
        if path in COMMANDS:
            examples = (f"{PROGRAM} {path} {words}" for words in COMMANDS[path].examples)
            _write_lines(formatter, "Examples", examples)


class Lazy(TyperGroup):
    """A group that imports its commands on demand; `prefix` is the name of the group."""

    prefix = ""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore
        """Print the help and exit with code 2 (usage) if no command is named."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)  # pyright: ignore

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore
        """Return the command names in the order of the help."""
        if self.prefix:
            return [_last(name) for name in COMMANDS if name.startswith(f"{self.prefix} ")]
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> object:  # pyright: ignore
        """Import and return a command; return None for an unknown name."""
        if cmd_name not in self.commands:
            name = f"{self.prefix} {cmd_name}".strip()
            if name in COMMANDS:
                self.commands[cmd_name] = _imported(name)  # pyright: ignore
            elif name in NESTED:
                self.commands[cmd_name] = _nested(name)  # pyright: ignore
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> object:  # pyright: ignore
        """Resolve the first word to a command, ignoring case."""
        from msaf_bench.errors import UsageError, in_any_case, one_of

        names = self.list_commands(ctx)
        first = in_any_case(args[0], names)
        if first in names or first.startswith("-"):
            return super().resolve_command(ctx, [first, *args[1:]])
        try:
            one_of(f"command of {self.prefix}" if self.prefix else "command", first, names)
        except UsageError as error:
            stop = "" if str(error).endswith("?") else "."
            raise UsageError(f"{error}{stop} See `{ctx.command_path} --help`.") from None
        raise AssertionError

    def format_options(self, ctx: typer.Context, formatter: Formatter) -> None:  # pyright: ignore
        """Write the commands by group, then the options."""
        if self.prefix:
            names = [f"{self.prefix} {name}" for name in self.list_commands(ctx)]
            _write(formatter, "Commands", [(_last(n), COMMANDS[n].summary) for n in names])
        else:
            for group, names in GROUPS.items():
                _write(formatter, group, [(name, _summary(name)) for name in names])
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):  # pyright: ignore
            _add(groups, option)  # pyright: ignore
        for name, rows in groups.items():
            _write(formatter, "Options" if name == OTHER else name, rows)
        words = f"{PROGRAM} {self.prefix}".strip()
        _write_lines(formatter, "Help of one command", [f"{words} COMMAND --help"])


def _imported(name: str) -> object:
    module, _, function = COMMANDS[name].place.partition(":")
    called = getattr(import_module(f"msaf_bench.cli.{module}"), function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    paragraphs = (called.__doc__ or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(_last(name), cls=Helped, help=text)(called)
    return typer.main.get_command(app)


def _nested(name: str) -> object:
    group = type("Nested", (Lazy,), {"prefix": name})
    return group(name=name, help=NESTED[name], rich_markup_mode=None)


def _summary(name: str) -> str:
    return NESTED[name] if name in NESTED else COMMANDS[name].summary


def _last(name: str) -> str:
    return name.rpartition(" ")[2]


def _add(groups: dict[str, list[tuple[str, str]]], option: Option) -> None:
    """Add the help row of a parameter to its group."""
    if getattr(option, "hidden", False):
        return
    argument = option.param_type_name == "argument"
    group = option.rich_help_panel or ("Arguments" if argument else OTHER)
    groups.setdefault(group, []).append((_left(option), _right(option)))


def _left(option: Option) -> str:
    if option.param_type_name == "argument":
        return option.metavar or option.name.upper()
    shown = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        shown += " / " + ", ".join(option.secondary_opts)
    return shown if _is_flag(option) else f"{shown} {option.metavar or 'VALUE'}"


def _is_flag(option: Option) -> bool:
    return bool(getattr(option, "is_flag", False))  # an argument does not have this attribute


def _right(option: Option) -> str:
    notes: list[str] = []
    if option.required:
        notes.append("required")
    default = option.default
    if isinstance(option.show_default, str):
        notes.append(f"default: {option.show_default}")
    elif option.show_default and default is not None and not (callable(default) or default == ()):
        if not _is_flag(option):
            notes.append(f"default: {default}")
        elif option.secondary_opts:
            given = option.opts if default else option.secondary_opts
            notes.append(f"default: {given[0]}")
    text = option.help or ""
    return f"{text}  [{'; '.join(notes)}]" if notes else text


def _write(formatter: Formatter, heading: str, rows: Sequence[tuple[str, str]]) -> None:
    formatter.write(f"\n{typer.style(f'{heading}:', bold=True)}\n")
    formatter.indent()  # pyright: ignore
    formatter.write_dl(rows)
    formatter.dedent()  # pyright: ignore


def _write_lines(formatter: Formatter, heading: str, lines: Iterator[str] | list[str]) -> None:
    formatter.write(f"\n{typer.style(f'{heading}:', bold=True)}\n")
    formatter.write("".join(f"  {line.rstrip()}\n" for line in lines))
