"""The command line `msaf-bench`: parses, calls, prints. Nothing heavy is imported before a command needs it."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Annotated, Any, NoReturn

import typer

from msaf_bench.cli.ablate import ablate
from msaf_bench.cli.data import data_app
from msaf_bench.cli.flops import flops
from msaf_bench.cli.fps import fps
from msaf_bench.cli.inspect import check, doctor, list_specs, show
from msaf_bench.cli.report import compare, report
from msaf_bench.cli.score import score_app
from msaf_bench.cli.weights import evaluate, predict, train
from msaf_bench.errors import BenchError

EXIT_CODES = (
    "Exit codes: 0 done, 1 finished with failed rows, 2 usage or config, 3 data or file content, 4 a gate failed, "
    "5 environment or I/O, 6 locked, 128 + N stopped by signal N (130 for Ctrl-C, 143 for a plain kill)."
)

STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, epilog=EXIT_CODES)
app.command("list")(list_specs)
for command in (show, check, ablate, flops, fps, train, evaluate, predict):
    app.command()(command)
app.add_typer(score_app, name="score")
app.add_typer(data_app, name="data")
for command in (report, compare, doctor):
    app.command()(command)


@app.callback()
def top(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Benchmarking and ablation for video semantic segmentation, built around MSAF."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; gives its exit code. An error is one line on stderr. Signal handlers are left as they were found."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = [word for word in given if word != "--debug"]  # it may stand anywhere
    terminated: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        terminated.append(number)
        raise SystemExit(128 + number)

    with _handled(stop):
        try:
            code = _run(arguments, debug="--debug" in given)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    # Whatever else broke while a terminated sweep was wound up, it was the signal that ended it.
    return 128 + terminated[0] if terminated else code


@contextmanager
def _handled(stop: Callable[[int, object], NoReturn]) -> Generator[None]:
    """Has every signal that ends a process unwind it first; one that is ignored, as under `nohup`, stays so."""
    found = {number: signal.getsignal(number) for number in STOPPING} if current_thread() is main_thread() else {}
    taken = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # A reader such as `head` has gone; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  (whatever it is, the user gets one line)
        if debug:
            traceback.print_exc()
        return _explain(error)


def _explain(error: Any) -> int:
    if isinstance(error, BenchError):
        text, code = str(error), error.exit_code
    elif hasattr(error, "format_message"):  # of the option parser
        text, code = f"{error.format_message()} See `msaf-bench --help`.", 2
    else:
        text, code = f"{type(error).__name__}: {error}; this is a fault of msaf-bench, --debug shows where", 5
    print(f"msaf-bench: {' '.join(text.split())}", file=sys.stderr)
    return code


def run() -> NoReturn:
    """The installed command."""
    sys.exit(main())
