"""`msaf-bench predict`: label maps of a folder of video frames, by one checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import (
    DATA,
    OUTPUT,
    CheckpointFile,
    Device,
    FramePattern,
    Json,
    Overwrite,
    Plugins,
    Threads,
)


def predict(
    checkpoint: CheckpointFile,
    frames: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of the frames of one or several videos, which their names tell apart.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", rich_help_panel=OUTPUT, help="Folder for the label maps."
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            "-s",
            metavar="HxW",
            rich_help_panel=DATA,
            show_default="the frames' own",
            help="Size at which the network sees the frames.",
        ),
    ] = None,
    frame_pattern: FramePattern = None,
    device: Device = "cpu",
    threads: Threads = 1,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the label maps of video frames, predicted by a checkpoint. Videos are segmented frame
    by frame, and every video starts anew. One PNG of class ids is written per frame, of the frame's
    size.
    """
    from msaf_bench.analyzers.prediction import list_videos, predict_videos
    from msaf_bench.cli.evaluate import load_checkpoint
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.foreign import to_stderr
    from msaf_bench.host import check_device, limited_threads
    from msaf_bench.outputs import check_outputs
    from msaf_bench.sizes import parse_size

    check_device(device)
    seen_size = parse_size(size) if size else None
    videos = list_videos(frames, frame_pattern)
    check_outputs(
        out,
        videos.names,
        [*videos.paths, checkpoint],
        listed=[frames],
        deep=False,
        overwrite=overwrite,
        option="--out",
    )
    net, _ = load_checkpoint(checkpoint, use_plugins(plugins), device)
    stderr = typer.get_text_stream("stderr")
    with (
        limited_threads(threads),
        to_stderr(),
        typer.progressbar(length=len(videos.paths), file=stderr, label="frames") as bar,
    ):
        predict_videos(
            net,
            videos,
            out,
            size=seen_size,
            device=device,
            on_frame=lambda: bar.update(1),
        )
    print_document(
        videos.document(out),
        (f"{len(videos.paths)} label maps in {out}", *(f"note: {note}" for note in videos.notes)),
        as_json=as_json,
    )
