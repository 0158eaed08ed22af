"""`msaf-bench score miou`: the data-set mIoU of a folder of predicted label maps."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from msaf_bench.cli.printing import Json, Overwrite, print_document, written
from msaf_bench.cli.settings import at_most
from msaf_bench.errors import DataError, one_of

if TYPE_CHECKING:
    from msaf_bench.analyzers.miou import Absent, Void
    from msaf_bench.analyzers.miou_score import MiouScore

Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help=(
            "Meaning of an id in the files: 255=1, 0=void; pred:0=1 or truth:0=1 for one folder;"
            " may be repeated."
        ),
    ),
]
THREADS = min(4, os.cpu_count() or 1)


def score_miou(
    pred: Annotated[
        Path,
        typer.Option("--pred", help="Folder of predicted label maps: PNG or .npy, ids or palette."),
    ],
    truth: Annotated[
        Path, typer.Option("--truth", help="Folder of true label maps of the same names and sizes.")
    ],
    classes: Annotated[
        str,
        typer.Option(
            help="camvid11, cityscapes19, or a number of classes N (ids 0..N-1, void 255)."
        ),
    ],
    void: Annotated[
        str,
        typer.Option(
            help="Pixels that are void in the truth: ignore, or penalise as false positives."
        ),
    ] = "ignore",
    absent: Annotated[
        str,
        typer.Option(help="A class in neither truth nor prediction: skip it in the mean, or zero."),
    ] = "skip",
    pred_ids: Annotated[
        str | None,
        typer.Option(
            help=(
                "Id format of --pred: raw (labelIds) or train. Detected from the files by default."
            )
        ),
    ] = None,
    truth_ids: Annotated[
        str | None,
        typer.Option(
            help=(
                "Id format of --truth: raw (labelIds) or train. Detected from the files by default."
            )
        ),
    ] = None,
    maps: Maps = None,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out and list what cannot be scored; exit code 1."),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            min=1, callback=at_most(256, "files are not read faster"), help="Files read at a time."
        ),
    ] = THREADS,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports", "--out", help="Folder for CSV, figure and the matrix of each image."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score predicted label maps by the ground truth: data-set mIoU, class accuracy, confusion.

    Ends with exit code 3 where there is no mIoU, as when every pixel of the truth is void.
    """
    from msaf_bench.analyzers.miou_scoring import given_formats, score_pairs
    from msaf_bench.cli.counting import counting
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.data.labels.ids import parse_maps
    from msaf_bench.data.labels.pairs import pair_label_maps
    from msaf_bench.outputs import check_folder, check_outputs

    one_of("rule for --void", void, ("ignore", "penalise"))
    one_of("rule for --absent", absent, ("skip", "zero"))
    known = class_set(classes)
    given = given_formats(known, pred_ids, truth_ids)
    parse_maps(maps or (), known)
    if reports:
        check_folder(reports)
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
            maps=maps or (),
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
    """Print a score, and write its files where asked. Raises `UndrawnError` in the end where only
    the figure is missing.
    """
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
