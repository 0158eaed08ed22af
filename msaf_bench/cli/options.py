"""Declarations of the options that several commands share; `settings` evaluates them.

This module imports no heavy package, so that --help answers at once.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.errors import in_any_case, one_of

DATA, RUN, SPEED, OUTPUT = "Data", "Run", "Speed", "Output"  #: groups of options in help

DATA_SETS = (
    "street", "bdd100k", "camvid", "cityscapes", "cityscapes-vps", "kitti-step", "vspw",
)  # fmt: skip
PRESETS = ("smoke", "quick", "standard", "paper")
HISTORIES = ("repeat", "skip", "error")
MODES = ("clip", "stream")
TRACKERS = ("tensorboard", "csv", "wandb", "mlflow")


def at_most(
    most: int, why: str, option: str | None = None
) -> Callable[[float | None], float | None]:
    """Return a check of an option's number against an upper limit; errors give the reason `why`."""

    def check(value: float | None) -> float | None:
        if value is not None and not value <= most:  # also rejects NaN
            raise typer.BadParameter(
                f"{value:,} is above the limit of {most:,}: {why}.",
                param_hint=option and f"'{option}'",
            )
        return value

    return check


def at_most_cores(value: float | None) -> float | None:
    """Check that a number of threads does not exceed the usable cores of this machine."""
    from msaf_bench.host import usable_cores

    return at_most(usable_cores(), "this machine has no more cores", "--threads")(value)


def data_set_name(name: str) -> str:
    """Return a shipped data set's name in its own spelling; leave other names as they are."""
    return in_any_case(name, DATA_SETS)


def choices(names: Iterable[str]) -> str:
    """Return the metavar of an option with these choices: [a|b|c]."""
    return f"[{'|'.join(names)}]"


def choice(what: str, names: Collection[str]) -> Callable[[str | None], str | None]:
    """Return a check that an option's value is one of these names, ignoring case.

    The error lists the names and calls the value `what`. A `.toml` file passes unchecked.
    """

    def check(value: str | None) -> str | None:
        if value is None or value.endswith(".toml"):
            return value
        return one_of(what, in_any_case(value, names), names)

    return check


def split_list(values: Iterable[str] | None, known: Collection[str] = ()) -> list[str]:
    """Split the values of a list option: repeated, separated by commas, or both.

    All list options use this syntax. Known names are matched in any case, and known names that
    contain a comma stay whole.
    """
    names: list[str] = []
    for value in values or ():
        parts = value.split(",")
        while parts:
            length = next(
                (n for n in range(len(parts), 0, -1) if _known(parts[:n], known)),
                1,
            )
            names.append(in_any_case(",".join(parts[:length]).strip(), known))
            del parts[:length]
    return names


def _known(parts: list[str], known: Collection[str]) -> bool:
    return in_any_case(",".join(parts).strip(), known) in known


def systems() -> tuple[str, ...]:
    """Return the names of the systems, for shell completion."""
    from msaf_bench.catalog import list_systems

    return list_systems()


def tables() -> tuple[str, ...]:
    """Return the names of the tables, for shell completion."""
    from msaf_bench.catalog import list_tables

    return list_tables()


def missing(name: str) -> str:
    """Return a hint for the missing parameter of this name; empty if none is known."""
    if name == "table":
        return f"choose one of: {', '.join(tables())}, or a .toml file, e.g. --table 3"
    return MISSING.get(name, "")


MISSING = {
    "size": "write HxW, e.g. --size 512x1024",
    "systems": "give a system, e.g. msaf-r18; `msaf-bench list systems` prints all",
    "system": "give a system, e.g. msaf-r18; `msaf-bench list systems` prints all",
    "name": "give a system, table, preset or data set; `msaf-bench list` prints all",
    "classes": "choose one of: camvid11, cityscapes19, a data set, or a number of classes",
    "pred": "give the folder of predicted label maps",
    "truth": "give the folder of ground-truth label maps",
    "frames": "give the folder of video frames",
    "out": "give the output folder",
    "to": "give the output file, e.g. msaf.pt2 or msaf.onnx",
    "checkpoint": "give a .safetensors file written by `msaf-bench train`",
    "run": "give a folder written by `msaf-bench ablate`",
    "old": "give two folders written by `msaf-bench ablate`",
    "new": "give two folders written by `msaf-bench ablate`",
}  #: hint for each missing parameter, by its name

#: check of a number of timing processes
PROCESSES = at_most(100, "more processes hardly narrow the intervals")
#: default size of the cache; Cityscapes takes 2 GiB (quick), 18 (standard) or 68 (paper)
CACHE_GIB = 20.0
SEED = at_most(2**32 - 1, "a seed has 32 bits")  #: check of a seed

Data = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        metavar="NAME|FILE.toml",
        callback=data_set_name,
        autocompletion=lambda: DATA_SETS,
        rich_help_panel=DATA,
        help=(
            "Data set: street (videos generated on this machine, no download), "
            f"{', '.join(DATA_SETS[1:])}, or a file that describes your own data."
        ),
    ),
]
TruthData = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="NAME|FILE.toml",
        autocompletion=lambda: DATA_SETS[1:],
        rich_help_panel=DATA,
        help=(
            "Data set with the ground truth and the frames. Name predictions VIDEO/FRAME, or like"
            " the files of its frames."
        ),
    ),
]
TruthSplit = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        rich_help_panel=DATA,
        show_default="the scored split",
        help="Split of the data set given by --data.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        "-r",
        metavar="DIR",
        rich_help_panel=DATA,
        help="Folder of the data set on this machine. Not needed for street.",
        show_default="the folder of FILE.toml",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        metavar=choices((*PRESETS, "FILE.toml")),
        callback=choice("preset", PRESETS),
        autocompletion=lambda: PRESETS,
        rich_help_panel=DATA,
        help=(
            "Conditions of training and scoring, by cost: smoke (seconds), quick (minutes on two"
            " CPU cores), standard (about an hour on a GPU), paper (the paper's recipe)."
        ),
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        rich_help_panel=DATA,
        help=(
            "Change of one condition of the preset, e.g. --set steps=500 or --set"
            " data_options.noise=0.8. Repeat the option for several changes."
        ),
    ),
]
History = Annotated[
    str | None,
    typer.Option(
        metavar=choices(HISTORIES),
        callback=choice("history", HISTORIES),
        rich_help_panel=DATA,
        show_default="repeat",
        help=(
            "Treatment of a clip without enough past frames: repeat its oldest frame, skip the"
            " clip, or stop with an error."
        ),
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="[cpu|cuda|cuda:N]",
        rich_help_panel=RUN,
        help="Device that runs the network: cpu, cuda, or one GPU as cuda:N.",
    ),
]
THREADS = (
    "Number of CPU threads per process. Results are reproducible for the same seed and the same"
    " number of threads."
)
Threads = Annotated[
    int,
    typer.Option(min=1, metavar="N", callback=at_most_cores, rich_help_panel=RUN, help=THREADS),
]
LoaderThreads = Annotated[
    int | None,
    typer.Option(
        "--loader-threads",
        min=0,
        metavar="N",
        callback=at_most(64, "no network reads clips that fast"),
        rich_help_panel=RUN,
        show_default="0 on a CPU; on a GPU the remaining cores, up to 4",
        help=(
            "Number of additional threads that load and augment clips while the network computes."
            " Results do not depend on it."
        ),
    ),
]
CacheGib = Annotated[
    float,
    typer.Option(
        "--cache",
        min=0,
        metavar="GIB",
        callback=at_most(2**20, "no disk holds more"),
        rich_help_panel=RUN,
        help=(
            "Size of the disk cache of decoded frames, shared by all trials, in GiB; 0 turns it"
            " off. Data sets that fit in memory do not use it."
        ),
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache-folder",
        metavar="DIR",
        rich_help_panel=RUN,
        show_default="temporary folder in the run's folder",
        help="Permanent folder for decoded frames, for reuse by later runs; best on a local disk.",
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE[,...]",
        rich_help_panel=RUN,
        help=("Python modules that define register(registry) and add components or data sets."),
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        rich_help_panel=OUTPUT,
        help="Print one JSON document on standard output instead of text.",
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar=f"{choices(TRACKERS)}[,...]",
        autocompletion=lambda: TRACKERS,
        rich_help_panel=OUTPUT,
        show_default="none",
        help=(
            "Trackers that log loss, validation and results. They write to track/ in the run's"
            " folder unless their own environment variables name another place."
        ),
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        rich_help_panel=OUTPUT,
        help=(
            "Replace existing files in the output folder even if msaf-bench did not write them."
            " Input files are never replaced."
        ),
    ),
]
Pictures = Annotated[
    bool,
    typer.Option(
        rich_help_panel=OUTPUT,
        help=(
            "Show frames and labels of the data set in the report. Use --no-pictures for a report"
            " to publish."
        ),
    ),
]
CheckpointFile = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT", help="Checkpoint: a .safetensors file next to its .json sidecar."
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ID=MEANING[,...]",
        rich_help_panel=DATA,
        help=(
            "Meaning of an id in the label maps, e.g. 255=1 or 0=void. Prefix pred: or truth: to"
            " restrict it to one folder, e.g. pred:0=1."
        ),
    ),
]
FramePattern = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        rich_help_panel=DATA,
        help=(
            "Position of the frame number in file names, e.g. 'img_{frame}_v2'. Other fields:"
            " {hex}, {seconds}, {date}, {clock}; * matches the part that identifies the video."
            " Inferred from the names by default."
        ),
    ),
]
