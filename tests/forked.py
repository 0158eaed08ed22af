"""Commands in processes of their own, forked from one that has imported what they need."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest.mock import patch

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "msaf_bench.cli.ablate",
        "msaf_bench.report.render",
        "msaf_bench.sweep.on_ray",
        "msaf_bench.ablation",
        "torch._dynamo",  # torch imports it late, with the first network
    ]
)


def heed_signals() -> None:
    """Gives the signals that end a process the handlers that a terminal leaves them.

    The background job of a shell inherits SIGINT as ignored, a command under `nohup` SIGHUP.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def blank_figures() -> AbstractContextManager[object]:
    """Has figures written without content.

    Drawing takes half of the time of a small run and is tested in tests/report.
    """
    return patch("matplotlib.figure.Figure.draw", lambda self, renderer: None)


def start(
    call: Callable[[], int | None],
    out: Path,
    err: Path | None = None,
    *,
    cwd: Path | None = None,
    **environment: str,
) -> ForkServerProcess:
    """Start a process that ends with what `call` returns; `out` takes what it prints, with its
    errors where they have no file of their own. Figures are blank.

    `call` is pickled: a `partial` of a function of a module.
    """
    said = [out, err or out]
    process = FORKS.Process(target=_run, args=(call, said, cwd or Path.cwd(), environment))
    process.start()
    return process


def _run(
    call: Callable[[], int | None], said: list[Path], cwd: Path, environment: dict[str, str]
) -> None:
    os.setsid()
    heed_signals()
    for descriptor, path in enumerate(said, 1):
        with path.open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(cwd)
    os.environ |= environment
    with blank_figures():
        sys.exit(call())


def signalled(arguments: Sequence[str], number: int, after: int) -> int:
    """Run a command that gets the signal as soon as so many of its trials have ended."""
    from msaf_bench.cli import main
    from msaf_bench.cli.progress import SweepProgress

    plain, ended = SweepProgress.finished, []

    def finished(self, record):
        plain(self, record)
        ended.append(record)
        if len(ended) == after:
            os.kill(os.getpid(), number)

    SweepProgress.finished = finished
    return main(arguments)
