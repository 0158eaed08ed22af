"""`msaf-bench fps`: how long a frame takes on this machine."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from msaf_bench.cli.inspect import Plugins
from msaf_bench.cli.printing import Json, print_document
from msaf_bench.cli.settings import (
    PROCESSES,
    Device,
    at_most,
    at_most_cores,
    use_plugins,
)
from msaf_bench.errors import UsageError, one_of
from msaf_bench.sizes import parse_list, parse_size
from msaf_bench.spec import MODES

if TYPE_CHECKING:
    from msaf_bench.analyzers.speed.tasks import SpeedConditions
    from msaf_bench.spec import System

REGIONS = ("forward", "forward+argmax", "e2e")
PRECISIONS = ("fp32", "bf16", "fp16")


def fps(
    systems: Annotated[
        list[str],
        typer.Argument(
            help="Systems of models/ or .toml files; several are timed in turn and compared."
        ),
    ],
    size: Annotated[
        str,
        typer.Option(
            help=(
                "Frames as HxW, e.g. 512x1024; several, joined by commas, for the growth with size."
            )
        ),
    ],
    mode: Annotated[
        str | None,
        typer.Option(help="clip: all frames computed; stream: the past kept (default: both)."),
    ] = None,
    region: Annotated[
        str, typer.Option(help="What is timed: forward, forward+argmax or e2e.")
    ] = "forward+argmax",
    device: Device = "cpu",
    precision: Annotated[
        str, typer.Option(help="fp32, bf16 or fp16; half precision converts network and input.")
    ] = "fp32",
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Memory format of weights and input.")
    ] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, callback=at_most_cores, help="CPU threads (default: the usable cores)."
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            callback=PROCESSES,
            help="Fresh processes; each times all systems, modes and sizes in turn.",
        ),
    ] = 3,
    seconds: Annotated[
        float,
        typer.Option(
            callback=at_most(86_400, "that is a day"),
            help=(
                "Sampling time per system and process in seconds; stops earlier after 662 samples."
                " Also the upper limit of the warm-up."
            ),
        ),
    ] = 10,
    timeout: Annotated[
        float | None,
        typer.Option(
            callback=at_most(604_800, "that is a week"),
            help="Seconds after which noisy sampling ends (default: six times --seconds).",
        ),
    ] = None,
    classes: Annotated[
        int,
        typer.Option(
            min=1,
            callback=at_most(65_536, "their logits fit into no memory"),
            help="Classes that the network tells apart.",
        ),
    ] = 19,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Measure latency and FPS of systems with random weights, batch 1, in fresh processes that run
    alone.
    """
    from msaf_bench.analyzers.speed.machine import usable_cores
    from msaf_bench.analyzers.speed.study import time_systems
    from msaf_bench.cli.fps_text import latency_lines
    from msaf_bench.host import check_device

    options = {
        "region": one_of("region", region, REGIONS),
        "precision": one_of("precision", precision, PRECISIONS),
        "device": device,
        "channels_last": channels_last,
        "compiled": compiled,
        "threads": threads or usable_cores(),
        "processes": processes,
        "seconds": seconds,
        "timeout": 6 * seconds if timeout is None else timeout,
        # torch.compile stops specialising after a few networks in one process
        "schedule": "alone" if compiled else "rounds",
    }
    modes = [one_of("mode", mode, MODES)] if mode else list(MODES)
    asked = [_conditions({"size": hw, "mode": m, **options}) for hw in _sizes(size) for m in modes]
    check_device(device)
    modules = use_plugins(plugins)
    named = _named(systems, modules)
    study = time_systems(named, asked, classes, modules, on_note=partial(typer.echo, err=True))
    print_document(study.document(), latency_lines(study), as_json=as_json)
    if any(run.speed.reason for run in study.runs):
        raise typer.Exit(1)


def _sizes(text: str) -> list[tuple[int, int]]:
    return parse_list(text, parse_size, "--size")


def _conditions(options: dict[str, object]) -> "SpeedConditions":
    from pydantic import ValidationError

    from msaf_bench.analyzers.speed.tasks import SpeedConditions

    try:
        return SpeedConditions.model_validate(options)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"--{fault['loc'][0]} {fault['input']}: {fault['msg'].lower()}") from error


def _named(names: Sequence[str], plugins: Sequence[str]) -> "dict[str, System]":
    """Label -> system, each known to be one that can be built. A system named again is told apart
    by a number: its own control.
    """
    from msaf_bench.architectures import builtin
    from msaf_bench.catalog import read_system

    registry = builtin().extend(plugins)
    found: dict[str, System] = {}
    for name in names:
        system = read_system(name)
        registry.check(system)
        again = sum(label.partition(" #")[0] == system.name for label in found)
        found[f"{system.name} #{again + 1}" if again else system.name] = system
    return found
