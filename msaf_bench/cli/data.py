"""`msaf-bench data`: look at a data set, plan what of it to get, or make one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from msaf_bench.cli.printing import Json, Overwrite, print_json
from msaf_bench.cli.settings import (
    SEED,
    Changes,
    Data,
    History,
    Preset,
    Root,
    at_most,
    check_data,
    conditions_from,
    parse_size,
    read_root,
)
from msaf_bench.errors import DataError
from msaf_bench.outputs import check_outputs, entering, write_outputs

if TYPE_CHECKING:
    from msaf_bench.data.contents import Contents

data_app = typer.Typer(
    no_args_is_help=True,
    help="Check a data set, plan which files a job needs, or write street videos to disk.",
)


@data_app.command("check")
def check_splits(
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Read every clip of both splits, which checks every file, and say what is in them."""
    from msaf_bench.cli.counting import counting
    from msaf_bench.data import open_split
    from msaf_bench.data.contents import read_contents
    from msaf_bench.data.readers.files import ignored_below

    conditions, data_root = conditions_from(preset, data, changes, history), check_data(data, root)
    read: dict[str, Contents] = {}
    found: dict[str, Any] = {}
    for split in ("train", "score"):
        clips = open_split(conditions, split, data_root)
        with counting(f"{split}: clips read", len(clips)) as step:
            read[split] = contents = read_contents(clips, step)
        found[split] = _described(contents, clips.classes)
    found["overlap"] = _overlap(read["train"].pictures, read["score"].pictures)
    ignored = ignored_below(data_root) if data_root and data != "street" else ()
    found["ignored"] = [each._asdict() for each in ignored]
    if as_json:
        print_json(found)
        return
    for split in read:
        typer.echo("\n".join(_split_text(split, found[split])))
    typer.echo(
        f"both splits share {found['overlap']['names']} names and {found['overlap']['pictures']}"
        " pictures"
    )
    for each in ignored:
        typer.echo(f"note: {each}")


def _described(contents: "Contents", classes: tuple[str, ...]) -> dict[str, Any]:
    from msaf_bench.spec import VOID

    share = contents.pixels / contents.pixels.sum()
    named = {name: round(100 * float(share[i]), 2) for i, name in enumerate(classes)}
    return {
        "clips": contents.clips,
        "repeated_history_frames": contents.repeated,
        "skipped_clips": contents.skipped,
        "pairs": contents.pairs,
        "fingerprint": contents.fingerprint,
        "frame_sizes": contents.frames,
        "label_sizes": contents.labels,
        "ids": [int(i) for i in contents.pixels.nonzero()[0]],
        "percent": named | {"void": round(100 * float(share[VOID]), 2)},
    }


def _overlap(train: dict[str, int], score: dict[str, int]) -> dict[str, int]:
    same = set(train.values()) & set(score.values())
    return {"names": len(train.keys() & score.keys()), "pictures": len(same)}


def _split_text(split: str, about: dict[str, Any]) -> list[str]:
    def sizes(counts: dict[str, int]) -> str:
        return ", ".join(
            size if len(counts) == 1 else f"{size} ({n})" for size, n in counts.items()
        )

    history = (
        f"{about['repeated_history_frames']} repeated history frames, {about['skipped_clips']}"
        " clips left out for want of history"
    )
    return [
        (
            f"{split}: {about['clips']} clips, {about['pairs']} pairs of neighbours, {history},"
            f" content {about['fingerprint']}"
        ),
        (
            f"  frames {sizes(about['frame_sizes'])}, label maps {sizes(about['label_sizes'])}, ids"
            f" {', '.join(map(str, about['ids']))}"
        ),
        "  percent of pixels: "
        + ", ".join(f"{name} {value:g}" for name, value in about["percent"].items()),
    ]


@data_app.command("plan")
def plan_files(
    data: Data = "cityscapes",
    root: Root = None,
    need: Annotated[
        Literal["miou", "tc"],
        typer.Option(help="miou: labelled frames and their past; tc: whole snippets."),
    ] = "miou",
    split: Annotated[
        Literal["train", "val"] | None, typer.Option(help="One split only; tc needs val alone.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, callback=at_most(1000, "no network reads more"), help="Of a clip.")
    ] = 3,
    spacing: Annotated[
        int,
        typer.Option(
            min=0,
            callback=at_most(1000, "no snippet is longer"),
            help="Source frames between two frames of a clip.",
        ),
    ] = 1,
    names: Annotated[
        Path | None,
        typer.Option(
            "--list", help="Write the names of all files, one a line, for rsync or unzip."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Which files a job needs and how many bytes they are: from published sizes before a download,
    exactly where the files are.
    """
    from msaf_bench.data.readers.downloads import PUBLISHED, find_needs

    parts = (split,) if split else ("val",) if need == "tc" else ("train", "val")
    needs = find_needs(data, need, parts, frames, spacing, read_root(root))
    if names:
        if any(n.there is None for n in needs):
            raise DataError(
                f"--list {names}: the names follow from those of the label maps; give --root DIR"
                " with them"
            )
        check_outputs(
            names.parent,
            [names.name],
            _files_of(read_root(root)),
            overwrite=overwrite,
            option="--list",
        )
        write_outputs(
            names.parent, {names.name: "".join(f"{name}\n" for n in needs for name in n.names)}
        )
    documents = [
        {
            **n._asdict(),
            "names": len(n.names),
            "published": published._asdict() if (published := PUBLISHED.get(n.archive)) else None,
        }
        for n in needs
    ]
    if as_json:
        print_json(
            {"data": data, "need": need, "splits": parts, "frames": frames, "archives": documents}
        )
        return
    typer.echo(f"{data}, {need}, {' and '.join(parts)}, {frames} frames a clip")
    for document in documents:
        typer.echo(_need_text(document))
    if all(n.size is not None for n in needs):
        exact = all(n.exact for n in needs)
        typer.echo(f"together {'' if exact else 'about '}{_bytes(sum(n.size or 0 for n in needs))}")


def _files_of(root: Path | None) -> Iterator[Path]:
    from msaf_bench.folders import list_folder

    yield from (root / name for name in list_folder(root).names) if root else ()


def _need_text(need: dict[str, Any]) -> str:
    published = need["published"]
    whole = (
        f" of {published['files']:,} with {_bytes(published['size'])} ({published['source']})"
        if published
        else ""
    )
    size = _bytes(need["size"]) if need["exact"] else f"about {_bytes(need['size'])}"
    there = "" if need["there"] is None else f"; {need['there']:,} are there"
    return (
        f"{need['archive'] if published else need['folder']}: {need['files']:,} files{whole},"
        f" {size}{there}"
    )


def _bytes(size: int | None) -> str:
    if size is None:
        return "unknown size"
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


@data_app.command("street")
def write_street(
    out: Annotated[Path, typer.Option(help="Folder for the videos.")],
    videos: Annotated[
        int, typer.Option(min=1, callback=at_most(100_000, "a data set needs no more"))
    ] = 1,
    frames: Annotated[
        int,
        typer.Option(
            min=1, callback=at_most(10_000, "a video is made in memory"), help="Of each video."
        ),
    ] = 30,
    size: Annotated[str, typer.Option(help="HxW.")] = "128x256",
    seed: Annotated[int, typer.Option(min=0, callback=SEED, help="Of the first video.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write street videos: frames, label maps, forward and backward flow (.flo) and occlusion."""
    from msaf_bench.data.street import make_video
    from msaf_bench.data.street.files import file_names, write_video

    folders = {index: out / f"street_{index:05d}" for index in range(seed, seed + videos)}
    for folder in folders.values():
        check_outputs(folder, file_names(frames), overwrite=overwrite, option="--out")
    for index, folder in folders.items():
        with entering(folder) as written:
            written.extend(file_names(frames))
            write_video(folder, make_video(index, frames=frames, size=parse_size(size)))
        typer.echo(f"wrote {folder}")
