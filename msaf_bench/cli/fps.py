"""`msaf-bench fps`: how long a frame takes on this machine."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from msaf_bench.cli.inspect import Plugins
from msaf_bench.cli.printing import Json, print_document
from msaf_bench.cli.settings import (
    PROCESSES,
    Device,
    at_most,
    at_most_cores,
    parse_list,
    parse_size,
    use_plugins,
)
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import MODES

if TYPE_CHECKING:
    from msaf_bench.analyzers.speed.measure import Speed, SpeedConditions
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
            help="Sampling time per system and process in seconds; stops after 662 samples.",
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
    from msaf_bench.analyzers.speed.host import usable_cores
    from msaf_bench.cli.fps_text import as_text
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
    measured = _measure(_named(systems, modules), asked, classes, modules)
    document = _document(measured)
    print_document(document, as_text(document), as_json=as_json)
    if any(speed.reason for by_label in measured for speed in by_label.values()):
        raise typer.Exit(1)


def _measure(
    named: "dict[str, System]",
    asked: "Sequence[SpeedConditions]",
    classes: int,
    plugins: tuple[str, ...],
) -> "list[dict[str, Speed]]":
    """Time all systems under all conditions, in the same processes; a dictionary by label for each
    of the conditions.
    """
    from msaf_bench.analyzers.speed.measure import SpeedTask, measure_speed

    tasks = [
        SpeedTask(system=s, conditions=c, num_classes=classes, plugins=plugins)
        for c in asked
        for s in named.values()
    ]
    speeds = iter(measure_speed(tasks, on_note=partial(typer.echo, err=True)))
    return [dict(zip(named, islice(speeds, len(named)), strict=True)) for _ in asked]


def _sizes(text: str) -> list[tuple[int, int]]:
    return parse_list(text, parse_size, "--size")


def _conditions(options: dict[str, Any]) -> "SpeedConditions":
    from pydantic import ValidationError

    from msaf_bench.analyzers.speed.measure import SpeedConditions

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


def _document(measured: "Sequence[dict[str, Speed]]") -> dict[str, Any]:
    """The first run; all under `runs` where there are several, with what they say of each other."""
    runs = [_run(label, speed) for by_label in measured for label, speed in by_label.items()]
    more: dict[str, Any] = {"runs": runs} if len(runs) > 1 else {}
    if comparisons := [c for by_label in measured for c in _comparisons(by_label)]:
        more["comparisons"] = comparisons
    if len({speed.conditions.size for by_label in measured for speed in by_label.values()}) > 1:
        more["scaling"] = _scaling(measured)
    return runs[0] | more


def _run(label: str, speed: "Speed") -> dict[str, Any]:
    kept = speed.model_dump(mode="json")
    for pairs in ("facts", "flags"):
        kept[pairs] = dict(kept[pairs])
    return {
        "system": label,
        "mode": speed.conditions.mode,
        "size": speed.conditions.size,
        "region": speed.conditions.region,
        "latency_ms": _latency(kept.pop("latency")),
        "fps": speed.fps,
        "samples": speed.latency.samples if speed.latency else 0,
        "converged": speed.converged,
        "host": kept.pop("host"),
        "id": speed.id,
        "spec": kept.pop("system"),
        "device_latency_ms": _latency(kept.pop("device_latency")),
        "parts_ms": {name: _latency(part) for name, part in kept.pop("parts")},
        **kept,
    }


def _latency(kept: dict[str, Any] | None) -> dict[str, Any]:
    """Flat percentiles, with intervals and the reasons for what is null beside them."""
    if kept is None:
        return dict.fromkeys(("p50", "p90", "p99", "mean"))
    percentiles = {name: kept[name] for name in ("p50", "p90", "p99")}
    return {
        **{name: p["value"] for name, p in percentiles.items()},
        "mean": kept["mean"],
        "intervals": {name: [p["low"], p["high"]] for name, p in percentiles.items()},
        "not_stated": {name: p["reason"] for name, p in percentiles.items() if p["reason"]},
    }


def _comparisons(by_label: "dict[str, Speed]") -> list[dict[str, Any]]:
    """The first system against every other one."""
    from msaf_bench.analyzers.speed.comparison import compare

    (first, speed), *others = by_label.items()
    c, found = speed.conditions, list[dict[str, Any]]()
    for label, other in others:
        if (compared := compare(speed, other)) is not None:
            found.append(
                {
                    "mode": c.mode,
                    "size": c.size,
                    "first": first,
                    "second": label,
                    **compared._asdict(),
                }
            )
    return found


def _scaling(measured: "Sequence[dict[str, Speed]]") -> dict[str, Any]:
    """Latency ~ pixels^a of every system and mode, and the paper's."""
    from msaf_bench.analyzers.speed.comparison import PAPER_FPS, paper_scaling, scaling

    points: dict[tuple[str, str], list[tuple[tuple[int, int], float]]] = {}
    for label, speed in (item for by_label in measured for item in by_label.items()):
        if speed.latency:
            points.setdefault((label, speed.conditions.mode), []).append(
                (speed.conditions.size, speed.latency.mean)
            )
    fitted = [
        {"system": label, "mode": mode, **scaling(found)._asdict()}
        for (label, mode), found in points.items()
    ]
    printed = {f"{h}x{w}": value for (h, w), value in PAPER_FPS.items()}
    return {
        "measured": fitted,
        "paper": {"system": "MSAF, ResNet-18", "fps": printed, **paper_scaling()._asdict()},
    }
