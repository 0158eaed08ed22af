"""`msaf-bench score tc`: temporal consistency of a folder of predictions."""

from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.printing import Json, Overwrite, print_document
from msaf_bench.cli.score.miou import Maps
from msaf_bench.errors import DataError

FramePattern = Annotated[
    str | None,
    typer.Option(
        help=(
            "Place of the number in a name: 'img_{frame}_v2'; {hex}, {seconds}, {date}, {clock}; *"
            " tells videos apart. Else inferred."
        )
    ),
]


def score_tc(
    pred: Annotated[
        Path,
        typer.Option(
            "--pred", help="Folder of predicted label maps: PNG or .npy. Subfolders are videos."
        ),
    ],
    frames: Annotated[
        Path | None, typer.Option(help="Folder of the video frames, of the same names and sizes.")
    ] = None,
    flow: Annotated[
        str,
        typer.Option(
            help=(
                "dis, farneback, raft, zero, or flo:DIR with the .flo file of each pair's earlier"
                " frame."
            )
        ),
    ] = "dis",
    backward_flow: Annotated[
        Path | None,
        typer.Option(
            help=(
                "With flo:DIR, folder of the flow back to the earlier frame, by the later frame's"
                " name."
            )
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help=(
                "camvid11, cityscapes19, or a number of classes N (ids 0..N-1, void 255). By"
                " default as many as the ids need."
            )
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "clean, etc2020, etc2020-thc, vspw2021, ewarp, vc8 or vc16; may be repeated. By"
                " default clean."
            )
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Folder of true label maps: the control, and needed by vc8 and vc16."),
    ] = None,
    frame_pattern: FramePattern = None,
    maps: Maps = None,
    flow_cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps estimated flow for the next time.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports", "--out", help="Folder for JSON, the pairs as CSV, and the matrices."
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Leave out and list frames without a prediction; exit code 1."
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score predicted label maps for temporal consistency, with controls to judge it by.

    `--json` has the list `results`, one entry for each preset, and beside it the entry of the first
    preset. Ends with exit code 3 where no preset has a number, as for a video of one frame.
    """
    from msaf_bench.analyzers.consistency.folders import open_predictions
    from msaf_bench.analyzers.consistency.scoring import score_frames, tc_protocol
    from msaf_bench.cli.counting import counting
    from msaf_bench.cli.score.tc_text import consistency_lines
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.outputs import check_folder, check_outputs

    protocol = tc_protocol(
        preset or ["clean"],
        flow,
        backward_flow,
        pictures=frames is not None,
        classes=classes is not None,
    )
    if reports:
        check_folder(reports)
    known = class_set(classes) if classes else None
    opened = open_predictions(
        pred, frames, truth, known, maps or (), skip_bad=skip_bad, pattern=frame_pattern
    )
    if reports:
        from msaf_bench.report.consistency_files import FILES

        inputs = (*opened.inputs, *protocol.inputs(opened.keys))
        check_outputs(reports, FILES, inputs, overwrite=overwrite)
    with counting("pairs scored", len(opened.neighbours.pairs)) as step:
        score = score_frames(opened, protocol, cache=flow_cache, on_pair=step)
    document, files = score.document(), list[str]()
    if reports:
        from msaf_bench.report.consistency_files import write

        files = [str(path) for path in write(score, reports)]
        document["files"] = files
    print_document(document, consistency_lines(score, files), as_json=as_json)
    if score.reason:
        raise DataError(f"{pred}: no consistency: {score.reason}")
    if score.partial:
        raise typer.Exit(1)
