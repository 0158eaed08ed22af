"""The command line `msaf-bench`: parses, calls, prints. Nothing heavy is imported before a command
needs it.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import Annotated, NoReturn

import typer

from msaf_bench.cli.help import PROGRAM, Lazy
from msaf_bench.cli.output import TerminalOutput, watched_output
from msaf_bench.errors import HostError, Interrupted, Stopped, UsageError
from msaf_bench.inherited import process_rank

EXIT_CODES = (
    "Exit codes: 0 done, 1 finished with failed rows, 2 usage or config, 3 data or file content, 4"
    " a gate failed, 5 environment or I/O, 6 locked, 128 + N stopped by signal N (130 for Ctrl-C,"
    " 143 for a plain kill), 141 the reader of the output has gone."
)
Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

COMPLETION_OPTIONS = ("--install-completion", "--show-completion")
COMPLETION = "_MSAF_BENCH_COMPLETE"  #: set by a shell that asks for completions
app = typer.Typer(
    cls=Lazy,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def top(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Benchmarking and ablation for video semantic segmentation, built around MSAF."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. An error is one line on stderr. Signal handlers and
    Python's search path are left as they were found.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = [word for word in given if word != "--debug"]  # it may stand anywhere
    with _signals() as received, _search_path(), watched_output() as output:
        code = _run(arguments, output, debug="--debug" in given)
        if fault := output.end():
            code = (
                128 + signal.SIGPIPE if isinstance(fault, BrokenPipeError) else HostError.exit_code
            )
            # a reader such as `head` may go without a word
            if not isinstance(fault, BrokenPipeError):
                _say(f"msaf-bench: cannot write to standard output: {fault.strerror}\n")
    # Whatever else broke while a sweep was wound up, it was the signal that ended it.
    return 128 + received[0] if received else code


@contextmanager
def _signals() -> Generator[list[int]]:
    """Turn signals into errors of our own; yield those received. A signal that is ignored, as under
    nohup, stays so.
    """
    received: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        received.append(number)
        raise Interrupted if number == signal.SIGINT else Stopped(128 + number)

    taken: dict[signal.Signals, Handler] = {}
    if current_thread() is main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):
                taken[number] = handler
                signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)


@contextmanager
def _search_path() -> Generator[None]:
    """Take out of `sys.path` what a command puts in for its plug-ins."""
    found = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = found


def _run(arguments: list[str], output: TerminalOutput, *, debug: bool) -> int:
    if arguments and arguments[0] in COMPLETION_OPTIONS:
        return _complete(arguments)
    try:
        # Not click's own `main`: it would take a plug-in's exit or interruption for the user's.
        with typer.main.get_command(app).make_context(PROGRAM, arguments) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except (Stopped, Interrupted, typer.Abort):
        return 130
    except BaseException as error:  # noqa: BLE001  (whatever it is, the user gets one line)
        if output.fault and isinstance(error, OSError | SystemExit):
            return 0  # the output is at fault, which the caller says
        if debug:
            _say(traceback.format_exc())
        from msaf_bench.cli.explain import explain

        text, code = explain(error)
        # What is wrong with the command process 0 says for all.
        if code != UsageError.exit_code or not process_rank():
            _say(f"msaf-bench: {text}\n")
        return code
    return 0


def _complete(arguments: list[str]) -> int:
    """Install or print the completion of a shell, or answer one that asks; return the exit code."""
    try:
        app(args=arguments, prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # stderr may be closed or full, too
        sys.stderr.write(text)
        sys.stderr.flush()


def run() -> NoReturn:
    """The installed command."""
    if sys.platform == "win32":
        _say("msaf-bench: Windows is not supported; use Linux, macOS or WSL\n")
        sys.exit(HostError.exit_code)
    if COMPLETION in os.environ:
        sys.exit(_complete(sys.argv[1:]))
    sys.exit(main())
