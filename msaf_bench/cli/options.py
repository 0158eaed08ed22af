"""Options that several commands share, as they are declared. What they become is in `settings`:
nothing heavy is imported here, so that help answers at once.
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
    """Return the check of an option's number against a bound; the reason is part of the error."""

    def check(value: float | None) -> float | None:
        if value is not None and not value <= most:  # nor NaN
            raise typer.BadParameter(
                f"{value:,} is more than {most:,}: {why}.", param_hint=option and f"'{option}'"
            )
        return value

    return check


def at_most_cores(value: float | None) -> float | None:
    """Check a number of threads: far more of them take all that the system has."""
    from msaf_bench.host import usable_cores

    return at_most(usable_cores(), "this machine has no more cores", "--threads")(value)


def data_set_name(name: str) -> str:
    """Return a data set's name as it is written; files and plug-ins have others."""
    return in_any_case(name, DATA_SETS)


def choices(names: Iterable[str]) -> str:
    """Return the metavar of an option that takes one of these names: [a|b|c]."""
    return f"[{'|'.join(names)}]"


def choice(what: str, names: Collection[str]) -> Callable[[str | None], str | None]:
    """Return the check of an option that takes one of these names, in any case; the error names
    them. A file of the user's own (.toml) is left to the reader of files.
    """

    def check(value: str | None) -> str | None:
        if value is None or value.endswith(".toml"):
            return value
        return one_of(what, in_any_case(value, names), names)

    return check


def split_list(values: Iterable[str] | None, known: Collection[str] = ()) -> list[str]:
    """Return the names in values that were repeated, joined by commas, or both: this is the one
    syntax of all lists. Names that are known are found in any case, and those that have commas of
    their own stay whole.
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
    """Return the names of the systems, for a shell that completes them."""
    from msaf_bench.catalog import list_systems

    return list_systems()


def tables() -> tuple[str, ...]:
    """Return the names of the tables, for a shell that completes them."""
    from msaf_bench.catalog import list_tables

    return list_tables()


def missing(name: str) -> str:
    """Return what to write for a parameter that is missing, by its name; empty if there is nothing
    to say.
    """
    if name == "table":
        return f"choose one of: {', '.join(tables())}, or a .toml file, e.g. --table 3"
    return MISSING.get(name, "")


MISSING = {
    "size": "write HxW, e.g. --size 512x1024",
    "systems": "name one, e.g. msaf-r18; `msaf-bench list systems` has all",
    "system": "name one, e.g. msaf-r18; `msaf-bench list systems` has all",
    "name": "name a system, table, preset or data set; `msaf-bench list` has all",
    "classes": "choose one of: camvid11, cityscapes19, a data set, or a number of classes",
    "pred": "give the folder of predicted label maps",
    "truth": "give the folder of true label maps",
    "frames": "give the folder of video frames",
    "out": "give the folder to write to",
    "to": "give the file to write, such as msaf.pt2 or msaf.onnx",
    "checkpoint": "give a .safetensors file, as `msaf-bench train` writes it",
    "run": "give a folder that `msaf-bench ablate` wrote",
    "old": "give two folders that `msaf-bench ablate` wrote",
    "new": "give two folders that `msaf-bench ablate` wrote",
}  #: what to write for a parameter that is missing, by its name

PROCESSES = at_most(100, "intervals hardly narrow beyond")  #: of processes that time
CACHE_GIB = 20.0  #: Cityscapes takes 2 under preset quick, 18 under standard and 68 under paper
SEED = at_most(2**32 - 1, "generators of random numbers take 32 bits")  #: of a seed

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
            "Data set: street, whose videos are made here without a download, "
            f"{', '.join(DATA_SETS[1:])}, or a file that describes your own."
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
            "Data set that has the truth, and the frames. Predictions are named VIDEO/FRAME, or"
            " like the frames."
        ),
    ),
]
TruthSplit = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        rich_help_panel=DATA,
        show_default="the one that is scored",
        help="Split of the data set.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        "-r",
        metavar="DIR",
        rich_help_panel=DATA,
        help="Folder of the data set on this machine; street needs none.",
        show_default="that of FILE.toml",
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
            "Conditions of training and scoring: seconds (smoke), minutes on two CPU cores (quick),"
            " an hour on a GPU (standard), or the paper's recipe (paper)."
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
            "Change a condition of the preset, e.g. --set steps=500 or --set"
            " data_options.noise=0.8; repeat it for several."
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
            "Treatment of a clip that lacks past frames: repeat its oldest frame, skip the clip, or"
            " end with an error."
        ),
    ),
]
Device = Annotated[
    str,
    typer.Option(metavar="[cpu|cuda|cuda:N]", rich_help_panel=RUN, help="Device that computes."),
]
THREADS = "CPU threads of each process. Equal seeds give equal numbers for equal threads."
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
        show_default="0 on a CPU; on a GPU the cores that are left, up to 4",
        help=(
            "Threads beside --threads that load and augment clips while the network computes. They"
            " change no number."
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
            "Disk space for decoded frames, which all trials share, in GiB; 0 for none. Data sets"
            " that fit in memory need none."
        ),
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache-folder",
        metavar="DIR",
        rich_help_panel=RUN,
        show_default="in the run's folder, removed at its end",
        help="Folder for decoded frames that stays for further runs, such as on a local disk.",
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE[,...]",
        rich_help_panel=RUN,
        help=(
            "Importable modules with register(registry), for components and data sets of your own."
        ),
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        rich_help_panel=OUTPUT,
        help="Print one JSON document on standard output, and nothing else there.",
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
            "Trackers of loss, validation and results, which write below track/ in the run's folder"
            " or where their own environment says."
        ),
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        rich_help_panel=OUTPUT,
        help=(
            "Replace files in the output folder that msaf-bench did not write. Inputs are never"
            " replaced."
        ),
    ),
]
Pictures = Annotated[
    bool,
    typer.Option(
        rich_help_panel=OUTPUT,
        help=(
            "Show frames and labels of the data set in the report; turn this off for reports that"
            " you publish."
        ),
    ),
]
CheckpointFile = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT", help="A .safetensors file with its .json sidecar beside it."
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ID=MEANING[,...]",
        rich_help_panel=DATA,
        help=(
            "Meaning of an id in the files: 255=1, 0=void; pred:0=1 or truth:0=1 for one folder"
            " alone."
        ),
    ),
]
FramePattern = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        rich_help_panel=DATA,
        help=(
            "Place of the frame number in a file name, as in 'img_{frame}_v2'; also {hex},"
            " {seconds}, {date} and {clock}; * tells videos apart. Inferred from the names by"
            " default."
        ),
    ),
]
