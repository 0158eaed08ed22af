"""`msaf-bench score miou`: two folders of label maps in, one data-set mIoU out."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from msaf_bench.cli.printing import Json, Overwrite, print_document
from msaf_bench.cli.settings import at_most
from msaf_bench.errors import DataError, HostError, UsageError, one_of

if TYPE_CHECKING:
    from msaf_bench.analyzers.miou import Absent, ClassScores, Void
    from msaf_bench.analyzers.miou_folders import FolderCounts
    from msaf_bench.data.labels.classes import ClassSet
    from msaf_bench.data.labels.ids import IdFormat, What

Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help=(
            "What an id in the files is: 255=1, 0=void; pred:0=1 or truth:0=1 for one folder; may"
            " be repeated."
        ),
    ),
]
NO_CLASS_LEFT = "every pixel of the truth is void"  #: why there is no mIoU
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
            help="Ids of --pred: raw (labelIds) or train. By default told from the files."
        ),
    ] = None,
    truth_ids: Annotated[str | None, typer.Option(help="The same of --truth.")] = None,
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
    """Data-set mIoU, class accuracy and confusion of predicted label maps against the truth.

    Ends with exit code 3 where there is no mIoU, as when every pixel of the truth is void.
    """
    from msaf_bench.analyzers.miou_folders import count_folders
    from msaf_bench.cli.counting import counting
    from msaf_bench.cli.score.miou_text import as_text
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.data.labels.ids import parse_maps
    from msaf_bench.data.labels.pairs import pair_label_maps
    from msaf_bench.outputs import check_folder, check_outputs

    one_of("rule for --void", void, ("ignore", "penalise"))
    one_of("rule for --absent", absent, ("skip", "zero"))
    known = class_set(classes)
    given, mapped = _given_ids(known, pred_ids, truth_ids), parse_maps(maps or (), known)
    if reports:
        check_folder(reports)
    pairs = pair_label_maps(pred, truth, known)
    if reports:
        from msaf_bench.report.figures.confusion import FILES

        inputs = (path for pair in pairs.both for path in (pair.prediction, pair.truth))
        check_outputs(reports, FILES, inputs, listed=(pred, truth), overwrite=overwrite)
    with counting("pairs scored", len(pairs.both)) as step:
        counts = count_folders(
            pairs, known, given, maps=mapped, skip_bad=skip_bad, threads=threads, on_pair=step
        )
    document = describe(counts, known, cast("Void", void), cast("Absent", absent))
    document["map"] = maps or []
    document["ignored"] = [ignored._asdict() for ignored in pairs.ignored]
    document["notes"] += [str(ignored) for ignored in pairs.ignored]
    undrawn: HostError | None = None
    if reports:
        from msaf_bench.report.backend import UndrawnError
        from msaf_bench.report.figures.confusion import write

        try:
            paths = write(document, counts.matrices, reports)
        except UndrawnError as error:
            paths, undrawn = error.paths, error
        document["files"] = [str(path) for path in paths]
    print_document(document, as_text(document), as_json=as_json)
    if undrawn:
        raise undrawn
    if document["miou"] is None:
        raise DataError(f"{truth}: no mIoU: {document['reason']}")
    if document["partial"]:
        raise typer.Exit(1)


def _given_ids(
    classes: "ClassSet", pred_ids: str | None, truth_ids: str | None
) -> "dict[What, IdFormat]":
    given: dict[What, IdFormat] = {}
    options: dict[What, tuple[str, str | None]] = {
        "prediction": ("--pred-ids", pred_ids),
        "truth": ("--truth-ids", truth_ids),
    }
    for what, (option, said) in options.items():
        if said is None:
            continue
        if not classes.raw:
            raise UsageError(
                f"{option}: --classes {classes.name} has one kind of ids; leave the option out"
            )
        given[what] = cast("IdFormat", one_of(f"kind for {option}", said, ("raw", "train")))
    return given


def describe(
    counts: "FolderCounts", classes: "ClassSet", void: "Void", absent: "Absent"
) -> dict[str, Any]:
    """What `--json` prints. In percent to two decimals, null where there is nothing to divide by;
    `confusion` says it exactly.
    """
    import numpy as np

    from msaf_bench.analyzers.miou import class_scores, constant_counts

    whole = np.stack(list(counts.matrices.values())).sum(0)
    scores = class_scores(whole, void=void, absent=absent)
    constant = class_scores(constant_counts(whole), void=void, absent=absent)
    rules: tuple[Void, ...] = ("ignore", "penalise")
    truth, void_pixels = whole[:-1].sum(1), whole[-1].sum()
    in_mean = [
        name
        for name, iou in zip(classes.names, scores.iou, strict=True)
        if absent == "zero" or not math.isnan(iou)
    ]
    return {
        "miou": _number(scores.miou),
        "reason": None if scores.miou == scores.miou else NO_CLASS_LEFT,
        "unit": "percent",
        "per_class": _named(classes, scores.iou),
        "class_accuracy": _number(scores.class_accuracy),
        "per_class_accuracy": _named(classes, scores.recall),
        "pixel_accuracy": _number(scores.pixel_accuracy),
        "images": len(counts.matrices),
        "resolutions": {f"{h}x{w}": images for (h, w), images in sorted(counts.sizes.items())},
        "classes": classes.name,
        "void": void,
        "absent": absent,
        "classes_in_mean": len(in_mean),
        "classes_left_out": [name for name in classes.names if name not in in_mean],
        "miou_by_void_rule": {
            rule: _number(class_scores(whole, void=rule, absent=absent).miou) for rule in rules
        },
        "controls": {
            "best_constant": {
                "class": classes.names[int(truth.argmax())],
                "miou": _number(constant.miou),
            }
        },
        "pixels": {
            "class": int(truth.sum()),
            "void": int(void_pixels),
            "class_predicted_void": int(whole[:-1, -1].sum()),
            "void_predicted_class": int(whole[-1, :-1].sum()),
        },
        "ids": dict(counts.formats),
        "palette_files": counts.palettes,
        "confusion": whole.tolist(),
        "confusion_labels": [*classes.names, "void"],
        "notes": list(_notes(counts, classes, scores, truth)),
        "partial": bool(counts.bad),
        "bad": [bad._asdict() for bad in counts.bad],
    }


def _notes(
    counts: "FolderCounts", classes: "ClassSet", scores: "ClassScores", truth: Any
) -> Iterable[str]:
    for what, form in counts.formats.items():
        if form == "raw":
            yield f"{what}: raw ids (labelIds), mapped to the {len(classes.names)} classes"
    if counts.palettes:
        yield (
            f"{counts.palettes} file{'s have' if counts.palettes > 1 else ' has'} a palette: its"
            " indices are read as ids"
        )
    if not truth.any():
        yield "every pixel of the truth is void: there is no class accuracy" + (
            ", and no mIoU" if math.isnan(scores.miou) else ""
        )
    elif (truth > 0).sum() == 1:
        yield f"the truth holds one class only: {classes.names[int(truth.argmax())]}"
    if len(counts.sizes) > 1:
        yield f"the images have {len(counts.sizes)} sizes; every pixel counts the same"


def _named(classes: "ClassSet", values: Iterable[float]) -> dict[str, float | None]:
    return {name: _number(float(value)) for name, value in zip(classes.names, values, strict=True)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
