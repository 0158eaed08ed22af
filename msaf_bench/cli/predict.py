"""`msaf-bench predict`: predict the label maps of video frames with one checkpoint."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    choices,
)
from msaf_bench.cli.score.miou import CLASS_SETS
from msaf_bench.errors import DataError, UsageError, in_any_case

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from msaf_bench.analyzers.prediction import Overlays, Videos
    from msaf_bench.data.labels.classes import ClassSet

PICTURES_HZ = 30  #: default rate of an overlay video made from images, in frames per second
FASTEST_HZ = 1000  #: highest rate of an overlay video, in frames per second


def predict(
    checkpoint: CheckpointFile,
    frames: Annotated[
        Path,
        typer.Option(
            metavar="DIR|VIDEO",
            rich_help_panel=DATA,
            help=(
                "Folder with the frames of one or more videos, distinguished by file names, or a"
                " video file (mp4, mov, mkv, avi, webm)."
            ),
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help=(
                "Output folder for the label maps. For a video file they are named by frame"
                " number, from 000000.png."
            ),
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            "-s",
            metavar="HxW",
            rich_help_panel=DATA,
            show_default="size of the frames",
            help="Input size of the network in pixels, height first; frames are resized to it.",
        ),
    ] = None,
    frame_pattern: FramePattern = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            metavar="VIDEO|DIR",
            rich_help_panel=OUTPUT,
            help=(
                "Output video, or folder of PNGs, with the predicted classes in colour over the"
                " frames. Not written by default."
            ),
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="HZ",
            rich_help_panel=OUTPUT,
            show_default=f"rate of the input video, {PICTURES_HZ} for images",
            help="Frame rate of the --overlay video in frames per second.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "-c",
            metavar=choices(CLASS_SETS),
            autocompletion=lambda: CLASS_SETS,
            rich_help_panel=OUTPUT,
            show_default="class numbers and distinct colours",
            help="Class set or data set whose class names and colours the --overlay shows.",
        ),
    ] = None,
    device: Device = "cpu",
    threads: Threads = 1,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Predict the label maps of video frames with a checkpoint. Videos are segmented frame by
    frame, and past frames never come from another video. One PNG of class ids is written per frame,
    in the size of the frame.
    """
    from msaf_bench.analyzers.prediction import list_videos, predict_videos
    from msaf_bench.cli.evaluate import load_checkpoint
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.data.frames.video import is_video
    from msaf_bench.foreign import to_stderr
    from msaf_bench.host import check_device, limited_threads
    from msaf_bench.outputs import check_outputs
    from msaf_bench.sizes import parse_size

    check_device(device)
    seen_size = parse_size(size) if size else None
    if overlay is None and (rate is not None or classes is not None):
        raise UsageError("--rate and --classes need --overlay; add --overlay or remove them")
    videos = list_videos(frames, frame_pattern)
    inputs = [*videos.frames.files, checkpoint]
    check_outputs(
        out, videos.names, inputs, listed=[frames], deep=False, overwrite=overwrite, option="--out"
    )
    if overlay:
        _check_overlay(overlay, out, videos, rate)
        alone = is_video(overlay)
        check_outputs(
            overlay.parent if alone else overlay,
            [overlay.name] if alone else videos.names,
            inputs,
            listed=[frames, out],
            overwrite=overwrite,
            option="--overlay",
        )
    net, count = load_checkpoint(checkpoint, use_plugins(plugins), device)
    shown = _shown_classes(classes, count, checkpoint) if overlay else None
    stderr = typer.get_text_stream("stderr")
    with (
        limited_threads(threads),
        to_stderr(),
        _overlays(overlay, videos, shown, rate) as drawn,
        typer.progressbar(length=len(videos.names), file=stderr, label="frames") as bar,
    ):

        def on_frame(name: str, *frame: "NDArray[np.uint8]") -> None:
            if drawn:
                drawn.write(name, *frame)
            bar.update(1)

        predict_videos(net, videos, out, size=seen_size, device=device, on_frame=on_frame)
    lines = [f"{len(videos.names)} label maps in {out}"]
    if drawn:
        lines.append(f"overlay in {overlay}: {drawn.about()}")
    print_document(
        {**videos.document(out), "overlay": str(overlay) if overlay else None},
        (*lines, *(f"note: {note}" for note in videos.notes)),
        as_json=as_json,
    )


def _check_overlay(overlay: Path, out: Path, videos: "Videos", rate: float | None) -> None:
    """Raise `UsageError` for an invalid overlay, or one that would mix with the label maps."""
    from msaf_bench.data.frames.video import is_video
    from msaf_bench.spec.data_sets import VIDEO_FILES

    if not is_video(overlay):
        if overlay.suffix and not overlay.is_dir():
            raise UsageError(
                f"--overlay {overlay}: neither a video ({', '.join(VIDEO_FILES)}) nor an existing"
                " folder; choose another name"
            )
        if rate is not None:
            raise UsageError(
                f"--rate needs an overlay video, but --overlay {overlay} is a folder; remove --rate"
            )
        if out.resolve() in (overlay.resolve(), *overlay.resolve().parents):
            raise UsageError(
                f"--overlay {overlay}: its images would mix with the label maps of --out; choose"
                " another folder"
            )
        return
    if (count := len(videos.neighbours.videos)) > 1:
        raise UsageError(
            f"--overlay {overlay}: one video file cannot hold {count} videos; give a folder for"
            " images"
        )
    if rate is not None and not 0 < rate <= FASTEST_HZ:
        raise UsageError(
            f"--rate {rate:g}: give frames per second, above 0 and at most {FASTEST_HZ}"
        )


def _shown_classes(classes: str | None, count: int, checkpoint: Path) -> "ClassSet":
    """Return the names and colours of a checkpoint's classes.

    Raises `DataError` if the class set has another number of classes.
    """
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.data.labels.overlay import palette

    known = class_set(in_any_case(classes, CLASS_SETS) if classes else str(count))
    if len(known.names) != count:
        raise DataError(
            f"{checkpoint} predicts {count} classes, but {known.name} has {len(known.names)}; give"
            " the class set of its training"
        )
    return known if known.colours else known._replace(colours=palette(count))


@contextmanager
def _overlays(
    overlay: Path | None, videos: "Videos", classes: "ClassSet | None", rate: float | None
) -> "Generator[Overlays | None]":
    """Yield the writer of overlays, or None without --overlay."""
    from msaf_bench.analyzers.prediction import overlays

    if overlay is None or classes is None:
        yield None
        return
    own = videos.frames.video.rate if videos.frames.video else PICTURES_HZ
    with overlays(overlay, classes, rate or own) as drawn:
        yield drawn
