"""`msaf-bench score miou`: data-set mIoU of a folder of predicted label maps."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from msaf_bench.cli.options import (
    DATA,
    DATA_SETS,
    MISSING,
    OUTPUT,
    RUN,
    Json,
    Maps,
    Overwrite,
    Root,
    TruthData,
    TruthSplit,
    at_most,
    choice,
    choices,
    split_list,
)
from msaf_bench.errors import DataError, in_any_case

if TYPE_CHECKING:
    from msaf_bench.analyzers.miou import Absent, Void
    from msaf_bench.analyzers.miou_score import MiouScore

VOID_RULES, ABSENT_RULES, ID_FORMATS = ("ignore", "penalise"), ("skip", "zero"), ("raw", "train")
RULES = "Rules"  #: group of options
CLASS_SETS = ("camvid11", "cityscapes19")
THREADS = min(4, os.cpu_count() or 1)


def score_miou(
    pred: Annotated[
        Path,
        typer.Option(
            "--pred",
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of predicted label maps: PNG (ids or palette) or .npy.",
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="DIR",
            rich_help_panel=DATA,
            help=(
                "Folder of ground-truth label maps with the same names and sizes as the"
                " predictions. Required without --data."
            ),
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "-c",
            metavar="NAME|N",
            autocompletion=lambda: CLASS_SETS,
            rich_help_panel=DATA,
            help=(
                f"Classes: {', '.join(CLASS_SETS)}, a data set or its .toml file, or a number of"
                " classes N (ids 0 to N-1, void 255). Required without --data."
            ),
        ),
    ] = None,
    data: TruthData = None,
    root: Root = None,
    split: TruthSplit = None,
    void: Annotated[
        str,
        typer.Option(
            metavar=choices(VOID_RULES),
            callback=choice("rule for --void", VOID_RULES),
            rich_help_panel=RULES,
            help=(
                "Rule for pixels that are void in the ground truth: ignore them, or penalise"
                " predictions there as false positives."
            ),
        ),
    ] = "ignore",
    absent: Annotated[
        str,
        typer.Option(
            metavar=choices(ABSENT_RULES),
            callback=choice("rule for --absent", ABSENT_RULES),
            rich_help_panel=RULES,
            help=(
                "Rule for a class in neither ground truth nor predictions: skip it in the mean, or"
                " count it as zero."
            ),
        ),
    ] = "skip",
    pred_ids: Annotated[
        str | None,
        typer.Option(
            metavar=choices(ID_FORMATS),
            callback=choice("kind for --pred-ids", ID_FORMATS),
            rich_help_panel=DATA,
            show_default="detected from the files",
            help="Id format of the predicted label maps: raw (labelIds) or train (trainIds).",
        ),
    ] = None,
    truth_ids: Annotated[
        str | None,
        typer.Option(
            metavar=choices(ID_FORMATS),
            callback=choice("kind for --truth-ids", ID_FORMATS),
            rich_help_panel=DATA,
            show_default="detected from the files",
            help="Id format of the ground-truth label maps: raw (labelIds) or train (trainIds).",
        ),
    ] = None,
    maps: Maps = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            rich_help_panel=RULES,
            help="Leave out and list files that cannot be scored; the exit code is then 1.",
        ),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            callback=at_most(256, "more threads do not read files faster"),
            rich_help_panel=RUN,
            help="Number of files that are read at the same time.",
        ),
    ] = THREADS,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "--out",
            "-o",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help=(
                "Output folder for CSV, figure and the confusion matrix of each image. No files"
                " are written by default."
            ),
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score predicted label maps against the ground truth: data-set mIoU. The output also has the
    IoU and accuracy of each class and the number of pixels under each rule.

    The exit code is 3 if the mIoU is undefined, e.g. if every pixel of the ground truth is void.
    """
    from msaf_bench.analyzers.miou_scoring import given_formats, score_pairs
    from msaf_bench.cli.counting import counting
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.data.labels.ids import parse_maps
    from msaf_bench.data.labels.pairs import pair_label_maps
    from msaf_bench.data.readers.predicted import (
        check_source,
        files_of_split,
        pair_with_split,
        truth_classes,
    )
    from msaf_bench.outputs import check_folder, check_outputs

    beside = {"--truth": truth, "--classes": classes, "--truth-ids": truth_ids}
    check_source(data, beside, {"--root": root, "--split": split})
    if data is not None:
        known = truth_classes(data)
    elif classes:
        known = class_set(in_any_case(classes, (*CLASS_SETS, *DATA_SETS)))
    else:
        raise typer.BadParameter(MISSING["classes"], param_hint="'--classes'")
    given = given_formats(known, pred_ids, truth_ids)
    meanings = split_list(maps)
    parse_maps(meanings, known)
    if reports:
        check_folder(reports)
    if data is not None:
        truth = root or Path(data).parent
        pairs = pair_with_split(pred, files_of_split(known.name, root, split, partial=skip_bad))
    elif truth is None:
        raise typer.BadParameter(MISSING["truth"], param_hint="'--truth'")
    else:
        pairs = pair_label_maps(pred, truth, known)
    if reports:
        from msaf_bench.report.figures.confusion import FILES

        inputs = (path for pair in pairs.both for path in (pair.prediction, pair.truth))
        check_outputs(reports, FILES, inputs, listed=(pred, truth), overwrite=overwrite)
    with counting("pairs scored", len(pairs.both)) as step:
        score = score_pairs(
            pairs,
            known,
            given,
            cast("Void", void),
            cast("Absent", absent),
            maps=meanings,
            skip_bad=skip_bad,
            threads=threads,
            on_pair=step,
        )
    _print(score, reports, as_json=as_json)
    if score.reason:
        raise DataError(f"{truth}: no mIoU: {score.reason}")
    if score.partial:
        raise typer.Exit(1)


def _print(score: "MiouScore", reports: Path | None, *, as_json: bool) -> None:
    """Print a score and write its files if --reports is given.

    Raises `UndrawnError` at the end if only the figure could not be drawn.
    """
    from msaf_bench.cli.printing import print_document, written
    from msaf_bench.cli.score.miou_text import miou_lines

    if reports is None:
        print_document(score.document(), miou_lines(score), as_json=as_json)
        return
    from msaf_bench.report.figures.confusion import write

    paths, undrawn = written(lambda: write(score, reports))
    files = [str(path) for path in paths]
    print_document(score.document() | {"files": files}, miou_lines(score, files), as_json=as_json)
    if undrawn:
        raise undrawn
