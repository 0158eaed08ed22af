"""Commands started by torchrun in several processes."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from msaf_bench.inherited import process_rank

#: silences warnings of torch's C++ code, e.g. that no parameter stayed unused in a step
QUIET = ("TORCH_CPP_LOG_LEVEL", "ERROR")


def together(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a training command: process 0 runs it, all other processes train its trials with it."""

    @wraps(command)
    def run(**options: Any) -> None:
        rank = process_rank()
        if rank is None:
            command(**options)
            return
        os.environ.setdefault(*QUIET)
        from msaf_bench.sweep.following import follow, leading

        if rank > 0:
            from msaf_bench.cli.settings import use_plugins

            use_plugins(options["plugins"])
            raise typer.Exit(follow(options["device"]))
        with leading(options["device"]) as device:
            command(**options | {"device": device})

    return run
