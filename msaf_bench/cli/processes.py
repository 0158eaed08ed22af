"""Commands under torchrun, which starts the same command in several processes."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer


def together(command: Callable[..., None]) -> Callable[..., None]:
    """Run a command that trains: in process 0 as ever, while the others follow its trials."""

    @wraps(command)
    def run(**options: Any) -> None:
        from msaf_bench.sweep.executors import launched

        if not launched():
            command(**options)
            return
        from msaf_bench.sweep.following import follow, leading

        if os.environ["RANK"] != "0":
            from msaf_bench.cli.settings import use_plugins

            use_plugins(options["plugins"])
            raise typer.Exit(follow(options["device"]))
        with leading(options["device"]) as device:
            command(**options | {"device": device})

    return run
