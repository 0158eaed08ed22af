"""`msaf-bench data`: check a data set, list the files a job needs, or write street videos."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from msaf_bench.cli.options import (
    DATA,
    OUTPUT,
    RUN,
    SEED,
    Changes,
    Data,
    History,
    Json,
    Overwrite,
    Plugins,
    Preset,
    Root,
    at_most,
    choice,
    choices,
)
from msaf_bench.cli.printing import print_json
from msaf_bench.errors import DataError, UsageError, one_of

if TYPE_CHECKING:
    from msaf_bench.data.contents import Contents
    from msaf_bench.data.readers.downloads import Need

NEEDS = ("miou", "tc")


def check_splits(
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    changes: Changes = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Read every clip of both splits and summarise the contents. Every file is checked."""
    from msaf_bench.cli.counting import counting
    from msaf_bench.cli.settings import check_data, conditions_from, use_plugins
    from msaf_bench.data import open_split
    from msaf_bench.data.contents import overlap_of, read_contents
    from msaf_bench.data.readers.files import ignored_below
    from msaf_bench.sweep.workspace import readers_for

    modules = use_plugins(plugins)
    conditions = conditions_from(preset, data, changes, history, plugins=modules)
    data_root, readers = check_data(data, root, modules), readers_for(data, modules)
    read: dict[str, Contents] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for split in ("train", "score"):
        clips = open_split(conditions, split, data_root, readers=readers)
        with counting(f"{split}: clips read", len(clips)) as step:
            read[split], classes[split] = read_contents(clips, step), clips.classes
        if not sum(read[split].pixels[: len(clips.classes)]):
            raise DataError(
                f"{data}: every pixel of the {split} split is void; correct the ids or colours of"
                " its label maps"
            )
    overlap = overlap_of(read["train"], read["score"])
    ignored = ignored_below(data_root) if data_root else ()
    if as_json:
        document: dict[str, object] = {
            split: contents.document(classes[split]) for split, contents in read.items()
        }
        document["overlap"] = overlap._asdict()
        document["ignored"] = [each._asdict() for each in ignored]
        print_json(document)
        return
    for split, contents in read.items():
        typer.echo("\n".join(_split_lines(split, contents, classes[split])))
    typer.echo(f"both splits share {overlap.names} names and {overlap.pictures} pictures")
    for each in ignored:
        typer.echo(f"note: {each}")


def _split_lines(split: str, found: "Contents", classes: tuple[str, ...]) -> Iterator[str]:
    def sizes(counts: dict[str, int]) -> str:
        return ", ".join(
            size if len(counts) == 1 else f"{size} ({n})" for size, n in counts.items()
        )

    history = (
        f"{found.repeated} repeated history frames, {found.skipped} clips left out for lack of"
        " history"
    )
    yield (
        f"{split}: {found.clips} clips, {found.pairs} pairs of neighbours, {history}, content"
        f" {found.fingerprint}"
    )
    yield (
        f"  frames {sizes(found.frames)}, label maps {sizes(found.labels)}, ids"
        f" {', '.join(map(str, found.ids))}"
    )
    shares = found.percent(classes)
    absent = [name for i, name in enumerate(classes) if not found.pixels[i]]
    shown = ", ".join(f"{name} {share:g}" for name, share in shares.items() if name not in absent)
    yield f"  share of pixels in percent: {shown}"
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        yield f"  classes without pixels: {', '.join(absent[:3])}{more}"


def plan_files(
    data: Data = "cityscapes",
    root: Root = None,
    need: Annotated[
        str,
        typer.Option(
            metavar=choices(NEEDS),
            callback=choice("need", NEEDS),
            rich_help_panel=DATA,
            help=(
                "Purpose of the files: miou (labelled frames and their past frames) or tc (video"
                " snippets for temporal consistency)."
            ),
        ),
    ] = "miou",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=DATA,
            show_default="train and val for miou, val for tc",
            help="Split whose files are listed.",
        ),
    ] = None,
    frames: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=DATA,
            callback=at_most(1000, "no network reads more frames"),
            help="Number of frames per clip.",
        ),
    ] = 3,
    spacing: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel=DATA,
            callback=at_most(1000, "no snippet is longer"),
            show_default="spacing of the data set",
            help="Distance between neighbouring frames of a clip, in source frames.",
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help=(
                "Output file for the names of all files, one per line, for rsync or unzip. Not"
                " written by default."
            ),
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """List the files that a job needs, with their sizes. Before a download, sizes are estimated
    from published ones; for downloaded files they are exact.
    """
    from msaf_bench.catalog import read_data_set
    from msaf_bench.cli.settings import read_root
    from msaf_bench.data import root_of
    from msaf_bench.data.readers.downloads import find_needs
    from msaf_bench.outputs import check_outputs, write_outputs
    from msaf_bench.spec import STREET

    if data == STREET:
        raise UsageError(
            "data plan: street is generated on this machine and needs no files; use --data camvid"
            " or another data set"
        )
    data_set = read_data_set(data)
    wanted = cast("Literal['miou', 'tc']", need)
    known = [name for name, _ in data_set.splits]
    whole = (data_set.scored,) if need == "tc" else (data_set.train, data_set.scored)
    parts = (one_of(f"split of {data_set.name}", split, known),) if split else whole
    apart = data_set.spacing if spacing is None else spacing
    root = read_root(root_of(data, root))
    needs = find_needs(data_set, wanted, parts, frames, apart, root)
    if names:
        if any(n.there is None for n in needs):
            raise DataError(
                f"--list {names}: the names are derived from those of the label maps; give the"
                " folder of the label maps with --root DIR"
            )
        check_outputs(
            names.parent,
            [names.name],
            _files_of(root),
            overwrite=overwrite,
            option="--list",
        )
        write_outputs(
            names.parent, {names.name: "".join(f"{name}\n" for n in needs for name in n.names)}
        )
    if as_json:
        document = {"data": data_set.name, "need": need, "splits": parts, "frames": frames}
        print_json(document | {"archives": [_need_document(n) for n in needs]})
        return
    typer.echo(f"{data_set.name}, {need}, {' and '.join(parts)}, {frames} frames per clip")
    for each in needs:
        typer.echo(_need_text(each))
    if all(n.size is not None for n in needs):
        about = "" if all(n.exact for n in needs) else "about "
        typer.echo(f"total: {about}{_bytes(sum(n.size or 0 for n in needs))}")


def _files_of(root: Path | None) -> Iterator[Path]:
    from msaf_bench.folders import list_folder

    yield from (root / name for name in list_folder(root).names) if root else ()


def _need_document(need: "Need") -> dict[str, object]:
    said = need.published and need.published.model_dump(include={"files", "size", "source"})
    return {**need._asdict(), "names": len(need.names), "published": said}


def _need_text(need: "Need") -> str:
    published = need.published
    place, whole = need.folder, ""
    if published:
        place = need.archive
        whole = f" of {published.files:,} with {_bytes(published.size)} ({published.source})"
    about = "" if need.exact or need.size is None else "about "
    size = f"{about}{_bytes(need.size)}"
    there = "" if need.there is None else f"; {need.there:,} present"
    return f"{place}: {need.files:,} files{whole}, {size}{there}"


def _bytes(size: int | None) -> str:
    if size is None:
        return "unknown size"
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def write_street(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help="Output folder; each video gets a subfolder.",
        ),
    ],
    videos: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most(100_000, "no data set needs more videos"),
            rich_help_panel=RUN,
            help="Number of videos.",
        ),
    ] = 1,
    frames: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most(10_000, "a video must fit in memory"),
            rich_help_panel=RUN,
            help="Number of frames per video.",
        ),
    ] = 30,
    size: Annotated[
        str,
        typer.Option(
            "--size",
            "-s",
            metavar="HxW",
            rich_help_panel=RUN,
            help="Size of the frames in pixels, height first.",
        ),
    ] = "128x256",
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            callback=SEED,
            rich_help_panel=RUN,
            help="Seed of the first video; each further video adds 1.",
        ),
    ] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write street videos: frames, label maps, flow and occlusion. Each video is a folder. The
    flow is exact and is written forward and backward (.flo).
    """
    from msaf_bench.data.street import make_video
    from msaf_bench.data.street.files import file_names, write_video
    from msaf_bench.outputs import check_outputs, entering
    from msaf_bench.sizes import parse_size

    height_width = parse_size(size)
    folders = {index: out / f"street_{index:05d}" for index in range(seed, seed + videos)}
    for folder in folders.values():
        check_outputs(folder, file_names(frames), overwrite=overwrite, option="--out")
    for index, folder in folders.items():
        with entering(folder) as written:
            written.extend(file_names(frames))
            write_video(folder, make_video(index, frames=frames, size=height_width))
        typer.echo(f"wrote {folder}")
