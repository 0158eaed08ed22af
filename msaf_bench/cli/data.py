"""`msaf-bench data`: look at a data set, or make one."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from msaf_bench.cli.inspect import Json
from msaf_bench.cli.settings import Changes, Data, Preset, Root, check_data, conditions_from

data_app = typer.Typer(no_args_is_help=True, help="Check a data set, or write street videos to disk.")


@data_app.command("check")
def check_splits(
    data: Data = "street", root: Root = None, preset: Preset = "quick", changes: Changes = None, as_json: Json = False
) -> None:
    """Open both splits, which checks every file, and say what is in them."""
    import numpy as np

    from msaf_bench.data import open_split
    from msaf_bench.spec import VOID

    conditions, data_root = conditions_from(preset, data, changes), check_data(data, root)
    found: dict[str, Any] = {}
    for split in ("train", "score"):
        clips = open_split(conditions, split, data_root)
        counts = sum(np.bincount(clips[i].label.ravel(), minlength=VOID + 1) for i in range(len(clips)))
        share = np.asarray(counts) / np.sum(counts)
        found[split] = {
            "clips": len(clips),
            "repeated_history_frames": clips.repeated,
            "fingerprint": clips.fingerprint,
            "percent": {name: round(100 * float(share[i]), 2) for i, name in enumerate(clips.classes)}
            | {"void": round(100 * float(share[VOID]), 2)},
        }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for split, about in found.items():
        typer.echo(
            f"{split}: {about['clips']} clips, {about['repeated_history_frames']} repeated history frames, content {about['fingerprint']}"
        )
        typer.echo("  percent of pixels: " + ", ".join(f"{name} {value:g}" for name, value in about["percent"].items()))


@data_app.command("street")
def write_street(
    out: Annotated[Path, typer.Option(help="Folder for the videos.")],
    videos: Annotated[int, typer.Option(min=1)] = 1,
    frames: Annotated[int, typer.Option(min=1, help="Of each video.")] = 30,
    size: Annotated[str, typer.Option(help="HxW.")] = "128x256",
    seed: Annotated[int, typer.Option(min=0, help="Of the first video.")] = 0,
) -> None:
    """Write street videos: frames, label maps, forward and backward flow (.flo) and occlusion."""
    from msaf_bench.cli.weights import parse_size
    from msaf_bench.data.street import make_video
    from msaf_bench.data.street_files import write_video

    for index in range(seed, seed + videos):
        folder = out / f"street_{index:05d}"
        write_video(folder, make_video(index, frames=frames, size=parse_size(size)))
        typer.echo(f"wrote {folder}")
