"""`msaf-bench fps`: latency and FPS of systems on this machine."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Annotated

import typer

from msaf_bench.cli.options import (
    DATA,
    MODES,
    PROCESSES,
    RUN,
    Device,
    Json,
    Plugins,
    at_most,
    at_most_cores,
    choice,
    choices,
    split_list,
)
from msaf_bench.cli.options import systems as all_systems
from msaf_bench.errors import UsageError

if TYPE_CHECKING:
    from msaf_bench.analyzers.speed.tasks import SpeedConditions
    from msaf_bench.spec import System

SAMPLING = "Sampling"  #: group of options
REGIONS = ("forward", "forward+argmax", "e2e")
MOST_PROCESSES, WITHIN_S = 3, 30  #: default number of processes and limit on their total time
IMPORTS_S = 3  #: approximate time before the first process begins
PRECISIONS = ("fp32", "bf16", "fp16")


def fps(
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="SYSTEM",
            autocompletion=all_systems,
            help="Systems to time: names or .toml files. Several are timed in turn and compared.",
        ),
    ],
    size: Annotated[
        list[str],
        typer.Option(
            "--size",
            "-s",
            metavar="HxW[,...]",
            rich_help_panel=DATA,
            help=(
                "Size of the frames in pixels, height first. With several sizes the growth of"
                " latency is fitted."
            ),
        ),
    ],
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            "-m",
            metavar=choices(MODES),
            callback=choice("mode", MODES),
            rich_help_panel=DATA,
            show_default="both",
            help="Inference mode to time: all frames of a clip, or one step of a stream.",
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            metavar=choices(REGIONS),
            callback=choice("region", REGIONS),
            rich_help_panel=DATA,
            help=(
                "Timed region: the forward pass, the forward pass with argmax, or everything from"
                " image to label map (e2e)."
            ),
        ),
    ] = "forward+argmax",
    device: Device = "cpu",
    precision: Annotated[
        str,
        typer.Option(
            metavar=choices(PRECISIONS),
            callback=choice("precision", PRECISIONS),
            rich_help_panel=RUN,
            help="Number format of the network and its input, without autocast.",
        ),
    ] = "fp32",
    channels_last: Annotated[
        bool,
        typer.Option(
            "--channels-last",
            rich_help_panel=RUN,
            help="Use the channels-last memory format for weights and input.",
        ),
    ] = False,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", rich_help_panel=RUN, help="Compile the networks with torch.compile."
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most_cores,
            rich_help_panel=RUN,
            show_default="all usable cores",
            help="Number of CPU threads per process.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            callback=PROCESSES,
            rich_help_panel=SAMPLING,
            show_default=f"{MOST_PROCESSES}, or fewer if they would take more than {WITHIN_S} s",
            help="Number of fresh processes; each times all systems, modes and sizes in turn.",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="S",
            callback=at_most(86_400, "that is one day"),
            rich_help_panel=SAMPLING,
            help=(
                "Sampling time in seconds per system, mode and size in each process. Sampling stops"
                " earlier after 662 samples. The warm-up takes at most the same time."
            ),
        ),
    ] = 2,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            callback=at_most(604_800, "that is one week"),
            rich_help_panel=SAMPLING,
            show_default="value of --seconds",
            help="Sampling limit in seconds while the median is not yet known to 1 %.",
        ),
    ] = None,
    classes: Annotated[
        int,
        typer.Option(
            "--classes",
            "-c",
            min=1,
            metavar="N",
            callback=at_most(65_536, "logits of more classes do not fit in memory"),
            rich_help_panel=DATA,
            help="Number of classes that the network predicts.",
        ),
    ] = 19,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Measure the latency and FPS of systems on this machine. Systems have random weights and run
    one at a time in fresh processes, with batch size 1.
    """
    from msaf_bench.analyzers.speed.study import time_systems
    from msaf_bench.cli.fps_progress import estimates, note
    from msaf_bench.cli.fps_text import latency_lines
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.host import check_device, usable_cores

    options = {
        "region": region,
        "precision": precision,
        "device": device,
        "channels_last": channels_last,
        "compiled": compiled,
        "threads": threads or usable_cores(),
        "processes": processes or MOST_PROCESSES,
        "seconds": seconds,
        "timeout": seconds if timeout is None else timeout,
        # torch.compile stops specialising after a few networks in one process.
        "schedule": "alone" if compiled else "rounds",
    }
    modes = [mode] if mode else MODES
    asked = [_conditions({"size": hw, "mode": m, **options}) for hw in _sizes(size) for m in modes]
    check_device(device)
    modules = use_plugins(plugins)
    named = _named(split_list(systems, all_systems()), modules)
    with estimates() as show:
        study = time_systems(
            named,
            asked,
            classes,
            modules,
            within_s=inf if processes else WITHIN_S - IMPORTS_S,
            on_note=note,
            on_progress=show,
        )
    print_document(study.document(), latency_lines(study), as_json=as_json)
    if any(run.speed.reason for run in study.runs):
        raise typer.Exit(1)


def _sizes(texts: Sequence[str]) -> list[tuple[int, int]]:
    from msaf_bench.sizes import parse_list, parse_size

    return parse_list(",".join(texts), parse_size, "--size")


def _conditions(options: dict[str, object]) -> "SpeedConditions":
    from pydantic import ValidationError

    from msaf_bench.analyzers.speed.tasks import SpeedConditions

    try:
        return SpeedConditions.model_validate(options)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"--{fault['loc'][0]} {fault['input']}: {fault['msg'].lower()}") from error


def _named(names: Sequence[str], plugins: Sequence[str]) -> "dict[str, System]":
    """Return the systems by label, after checking that each can be built.

    A system named twice gets a numbered label and serves as its own control.
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
