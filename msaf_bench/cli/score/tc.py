"""`msaf-bench score tc`: temporal consistency of a folder of predicted label maps."""

from pathlib import Path
from typing import Annotated

import typer

from msaf_bench.cli.options import (
    DATA,
    OUTPUT,
    FramePattern,
    Json,
    Maps,
    Overwrite,
    Root,
    TruthData,
    TruthSplit,
    choices,
    split_list,
)
from msaf_bench.cli.score.miou import CLASS_SETS, RULES
from msaf_bench.errors import DataError, in_any_case

PRESETS = ("clean", "etc2020", "etc2020-thc", "vspw2021", "ewarp", "vc8", "vc16")
FLOWS = ("dis", "farneback", "raft", "zero", "flo:DIR")


def score_tc(
    pred: Annotated[
        Path,
        typer.Option(
            "--pred",
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of predicted label maps: PNG or .npy. Each subfolder is one video.",
        ),
    ],
    frames: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|VIDEO",
            rich_help_panel=DATA,
            help=(
                "Folder of video frames with the same names and sizes as the label maps, or a video"
                " file. Label maps of a video file are named by frame number from 000000.png."
            ),
        ),
    ] = None,
    flow: Annotated[
        str,
        typer.Option(
            metavar=choices(FLOWS),
            autocompletion=lambda: FLOWS,
            rich_help_panel=RULES,
            help=(
                "Optical flow: an estimator, zero (no motion), or flo:DIR, a folder with one .flo"
                " file per pair, named like the earlier frame."
            ),
        ),
    ] = "dis",
    backward_flow: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=RULES,
            help=(
                "Folder of flow back to the earlier frame for --flow flo:DIR, with files named like"
                " the later frame."
            ),
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "-c",
            metavar=choices((*CLASS_SETS, "N")),
            autocompletion=lambda: CLASS_SETS,
            rich_help_panel=DATA,
            show_default="number of classes found in the files",
            help="Classes: a class set, or a number of classes N (ids 0 to N-1, void 255).",
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            "-p",
            metavar="PRESET[,...]",
            autocompletion=lambda: PRESETS,
            rich_help_panel=RULES,
            show_default="clean",
            help=f"Scoring protocols: {', '.join(PRESETS[:-1])} or {PRESETS[-1]}.",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of ground-truth label maps, scored as a control; vc8 and vc16 need it.",
        ),
    ] = None,
    data: TruthData = None,
    root: Root = None,
    split: TruthSplit = None,
    frame_pattern: FramePattern = None,
    maps: Maps = None,
    flow_cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help="Folder that stores estimated flow for reuse. Flow is not stored by default.",
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "--out",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help=(
                "Output folder for JSON, a CSV file of all pairs, and the matrices. No files are"
                " written by default."
            ),
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            rich_help_panel=RULES,
            help="Leave out and list frames without prediction; the exit code is then 1.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score predicted label maps for temporal consistency. Scores of controls are printed for
    comparison.

    The JSON document has one entry per preset in the list `results`; the entry of the first preset
    is repeated at the top level. The exit code is 3 if no preset has a score, e.g. for a video of
    one frame.
    """
    from msaf_bench.analyzers.consistency.folders import open_predicted_split, open_predictions
    from msaf_bench.analyzers.consistency.scoring import score_frames, tc_protocol
    from msaf_bench.cli.counting import counting
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.score.tc_text import consistency_lines
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.data.readers.predicted import check_source, files_of_split, truth_classes
    from msaf_bench.outputs import check_folder, check_outputs

    beside = {
        "--frames": frames,
        "--truth": truth,
        "--classes": classes,
        "--frame-pattern": frame_pattern,
    }
    check_source(data, beside, {"--root": root, "--split": split})
    described = data is not None
    protocol = tc_protocol(
        split_list(preset, PRESETS) or ["clean"],
        in_any_case(flow, FLOWS),
        backward_flow,
        pictures=described or frames is not None,
        classes=described or classes is not None,
    )
    if reports:
        check_folder(reports)
    meanings = split_list(maps)
    if data is not None:
        known = truth_classes(data)
        files = files_of_split(known.name, root, split, partial=skip_bad)
        opened = open_predicted_split(pred, files, known, meanings, skip_bad=skip_bad)
    else:
        named = class_set(in_any_case(classes, CLASS_SETS)) if classes else None
        opened = open_predictions(
            pred, frames, truth, named, meanings, skip_bad=skip_bad, pattern=frame_pattern
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
