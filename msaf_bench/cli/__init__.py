"""Command line `msaf-bench`: parse the arguments, call the library, print the result.

Heavy packages are imported only by the commands that need them.
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
    "Exit codes: 0 success, 1 finished with failed rows, 2 usage or configuration error, 3 invalid"
    " data or file content, 4 failed check (gate), 5 environment or I/O error, 6 folder locked by"
    " another process, 128 + N stopped by signal N (130 for Ctrl-C, 143 for a plain kill), 141"
    " standard output closed by its reader."
)
Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

COMPLETION_OPTIONS = ("--install-completion", "--show-completion")
COMPLETION = "_MSAF_BENCH_COMPLETE"  #: variable set by a shell that asks for completions
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
    """Run one command and return its exit code.

    An error is printed as one line on stderr. Signal handlers and Python's search path are restored
    at the end.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = [word for word in given if word != "--debug"]  # accepted at any position
    with _signals() as received, _search_path(), watched_output() as output:
        code = _run(arguments, output, debug="--debug" in given)
        if fault := output.end():
            code = (
                128 + signal.SIGPIPE if isinstance(fault, BrokenPipeError) else HostError.exit_code
            )
            # A reader such as `head` may close the pipe early; that needs no message.
            if not isinstance(fault, BrokenPipeError):
                _say(f"msaf-bench: cannot write to standard output: {fault.strerror}\n")
    # The signal decides the exit code, even if the clean-up raised another error.
    return 128 + received[0] if received else code


@contextmanager
def _signals() -> Generator[list[int]]:
    """Raise our own errors for signals and yield the numbers of the signals received.

    An ignored signal, such as SIGHUP under nohup, stays ignored.
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
    """Restore `sys.path` after a command that extended it for its plug-ins."""
    found = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = found


def _run(arguments: list[str], output: TerminalOutput, *, debug: bool) -> int:
    if arguments and arguments[0] in COMPLETION_OPTIONS:
        return _complete(arguments)
    try:
        # Click's own `main` would treat an exit or interrupt raised by a plug-in as the user's.
        with typer.main.get_command(app).make_context(PROGRAM, arguments) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except (Stopped, Interrupted, typer.Abort):
        return 130
    except BaseException as error:  # noqa: BLE001  (every error becomes one line for the user)
        if output.fault and isinstance(error, OSError | SystemExit):
            return 0  # the caller reports the fault of the output
        if debug:
            _say(traceback.format_exc())
        from msaf_bench.cli.explain import explain

        text, code = explain(error)
        # A wrong command fails in every process of torchrun; process 0 alone reports it.
        if code != UsageError.exit_code or not process_rank():
            _say(f"msaf-bench: {text}\n")
        return code
    return 0


def _complete(arguments: list[str]) -> int:
    """Install, print or answer shell completion, and return the exit code."""
    try:
        app(args=arguments, prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # stderr may be closed or full as well
        sys.stderr.write(text)
        sys.stderr.flush()


def run() -> NoReturn:
    """Run the installed command and exit with its code."""
    if sys.platform == "win32":
        _say("msaf-bench: Windows is not supported; use Linux, macOS or WSL\n")
        sys.exit(HostError.exit_code)
    if COMPLETION in os.environ:
        sys.exit(_complete(sys.argv[1:]))
    sys.exit(main())
