"""mIoU of predicted label maps against the ground truth, from folders or arrays.

Shapes: K classes, H W label map.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np

from msaf_bench.analyzers.label_arrays import Array, label_arrays
from msaf_bench.analyzers.miou import Absent, Void, count_ids
from msaf_bench.analyzers.miou_folders import FolderCounts, count_folders
from msaf_bench.analyzers.miou_score import MiouScore
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.ids import NO_CLASS, IdFormat, What, id_table, parse_maps
from msaf_bench.data.labels.pairs import LabelPairs, pair_label_maps
from msaf_bench.data.readers.predicted import (
    check_maps_of_pred,
    check_source,
    files_of_split,
    pair_with_split,
    truth_classes,
)
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.matrices import SparseMatrices
from msaf_bench.spec import VOID


def score_miou(
    pred: Path | str | Sequence[Array],
    truth: Path | str | Sequence[Array] | None = None,
    *,
    classes: str | int | None = None,
    data: str | None = None,
    root: Path | str | None = None,
    split: str | None = None,
    void: Void = "ignore",
    absent: Absent = "skip",
    pred_ids: IdFormat | None = None,
    truth_ids: IdFormat | None = None,
    maps: Sequence[str] = (),
    skip_bad: bool = False,
    threads: int = 1,
) -> MiouScore:
    """Return the data-set mIoU of predicted label maps: one confusion matrix over all images.

        score = mb.score_miou("predictions", "labels", classes="cityscapes19")
        score.miou, score.per_class["road"]
        mb.score_miou("predictions", data="vspw", root="VSPW_480p")
        mb.score_miou([predicted], [true], classes=11)  # arrays (H, W), void = 255

    Args:
        pred: Folder of predicted label maps (PNG or .npy), or arrays (H, W) of class ids.
        truth: Ground truth: a folder with the same names, or arrays in the same order.
        classes: camvid11, cityscapes19, a data set or its file, or a number of classes K (ids 0 to
            K-1, void 255).
        data: Data set, as a name or a description file, instead of `truth` and `classes`.
            Predictions are named VIDEO/FRAME, or like the frames or label maps of the data set.
        root: Folder of the data set; by default the folder of the `.toml` file.
        split: Split of the data set; by default its scored split.
        void: ignore pixels whose ground truth is void, or penalise them as false positives.
        absent: skip a class without a score in the mean, or count it as zero.
        pred_ids: Id format of `pred`: raw (labelIds) or train; detected by default.
        truth_ids: Id format of `truth`: raw (labelIds) or train; detected by default.
        maps: Mappings from ids in files to classes, such as "255=1", "0=void" or "pred:0=1".
        skip_bad: Leave out pairs that cannot be scored (listed in `counts.bad`), and accept an
            incomplete data set; `incomplete` then says why it is incomplete.
        threads: Number of threads that read files.

    Raises:
        UsageError: If a class set, data set, split or rule is unknown, or arguments conflict.
        DataError: If files or arrays do not match, or are not label maps of these classes.
    """
    one_of("rule for --void", void, get_args(Void))
    one_of("rule for --absent", absent, get_args(Absent))
    check_source(
        data,
        {"truth": truth, "classes": classes, "truth_ids": truth_ids},
        {"root": root, "split": split},
    )
    if data is not None:
        if not isinstance(pred, Path | str):
            raise UsageError("pred: with `data`, give a folder; arrays have no frame names")
        known = truth_classes(data)
        place = None if root is None else Path(root)
        files = files_of_split(known.name, place, split, partial=skip_bad)
        pairs = pair_with_split(Path(pred), files)
    elif truth is None or classes is None:
        raise UsageError("give truth and classes, or data")
    else:
        known = class_set(str(classes))
        if not isinstance(pred, Path | str) and not isinstance(truth, Path | str):
            if maps or pred_ids or truth_ids or skip_bad:
                raise UsageError("maps, pred_ids, truth_ids and skip_bad require folders")
            return MiouScore(known, void, absent, _count_arrays(pred, truth, known))
        if not isinstance(pred, Path | str) or not isinstance(truth, Path | str):
            raise UsageError("pred and truth: give two folders, or two sequences of arrays")
        pairs = pair_label_maps(Path(pred), Path(truth), known)
    given = given_formats(known, pred_ids, truth_ids)
    return score_pairs(
        pairs, known, given, void, absent, maps=maps, skip_bad=skip_bad, threads=threads
    )


def score_pairs(
    pairs: LabelPairs,
    classes: ClassSet,
    given: "Mapping[What, IdFormat]",
    void: Void,
    absent: Absent,
    *,
    maps: Sequence[str] = (),
    skip_bad: bool = False,
    threads: int = 1,
    on_pair: Callable[[], None] = lambda: None,
) -> MiouScore:
    """Return the mIoU of the pairs of two folders, or of a folder and a data set.

    Args:
        pairs: Pairs of prediction and ground truth.
        classes: Classes of the label maps.
        given: Known id formats; the others are detected.
        void: Rule for void, as in `score_miou`.
        absent: Rule for absent classes, as in `score_miou`.
        maps: Mappings from ids in files to classes, as in `score_miou`.
        skip_bad: Leave out pairs that cannot be scored.
        threads: Number of threads that read files.
        on_pair: Called after each pair.

    Raises:
        UsageError: If `maps` is invalid.
        DataError: If files do not match, or are not label maps of these classes.
    """
    meanings = parse_maps(maps, classes)
    if pairs.data:  # a data set defines the ids of its own ground truth
        check_maps_of_pred(maps)
        given = {**given, "truth": "train"}
        meanings["truth"] = {VOID: len(classes.names)}
    counts = count_folders(
        pairs,
        classes,
        given,
        maps=meanings,
        skip_bad=skip_bad,
        threads=threads,
        on_pair=on_pair,
    )
    return MiouScore(
        classes,
        void,
        absent,
        counts,
        tuple(maps),
        pairs.ignored,
        pairs.data,
        pairs.incomplete,
    )


def given_formats(
    classes: ClassSet, pred_ids: str | None, truth_ids: str | None
) -> dict[What, IdFormat]:
    """Return the id formats given by the options --pred-ids and --truth-ids.

    Raises `UsageError` if a format is unknown, or if the class set has only one format.
    """
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
                f"{option}: --classes {classes.name} has only one kind of ids; leave the option out"
            )
        given[what] = cast("IdFormat", one_of(f"kind for {option}", said, ("raw", "train")))
    return given


def _count_arrays(pred: Sequence[Array], truth: Sequence[Array], classes: ClassSet) -> FolderCounts:
    if len(pred) != len(truth) or not len(pred):
        raise DataError(f"{len(pred)} predictions and {len(truth)} truths; give equal numbers > 0")
    table = id_table(classes)
    matrices = SparseMatrices(len(classes.names) + 1)
    sizes: dict[tuple[int, ...], int] = {}
    predictions, truths = label_arrays(pred, "prediction"), label_arrays(truth, "truth")
    for index, (prediction, true) in enumerate(zip(predictions, truths, strict=True)):
        joint = count_ids(true, prediction)
        rows, columns = joint.nonzero()
        stray = [i for i in (*rows.tolist(), *columns.tolist()) if table[i] == NO_CLASS]
        if stray:
            raise DataError(
                f"image {index} holds id {stray[0]}; give 0 to {len(classes.names) - 1}, or 255"
                " for void"
            )
        matrix = np.zeros((len(classes.names) + 1,) * 2, np.int64)
        np.add.at(matrix, (table[rows], table[columns]), joint[rows, columns])
        matrices.append(matrix)
        sizes[true.shape] = sizes.get(true.shape, 0) + 1
    names = [str(index) for index in range(len(pred))]
    return FolderCounts(names, matrices, sizes, {"prediction": "train", "truth": "train"}, 0, ())
