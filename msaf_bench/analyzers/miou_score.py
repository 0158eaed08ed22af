"""mIoU of predicted label maps against the ground truth, with the rules it holds under. Shapes: N
images, K classes, H W label map.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.label_arrays import Array, label_arrays
from msaf_bench.analyzers.miou import (
    Absent,
    ClassScores,
    Void,
    class_scores,
    constant_counts,
    count_ids,
)
from msaf_bench.analyzers.miou_folders import FolderCounts, count_folders
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.ids import NO_CLASS, IdFormat, What, id_table, parse_maps
from msaf_bench.data.labels.pairs import LabelPairs, pair_label_maps
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.folders import Ignored

NO_CLASS_LEFT = "every pixel of the truth is void"  #: why there is no mIoU


@dataclass(frozen=True)
class MiouScore:
    """The mIoU of a set of label maps. Scores are in percent, None where there is nothing to divide
    by.
    """

    classes: ClassSet
    void: Void
    absent: Absent
    counts: FolderCounts
    maps: tuple[str, ...] = ()  #: as given by `--map`
    ignored: tuple[Ignored, ...] = ()  #: files that were passed over

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(K+1, K+1) pixels: rows truth, columns prediction, void last."""
        return np.stack(list(self.counts.matrices.values())).sum(0)

    @cached_property
    def scores(self) -> ClassScores:
        """Scores by class and their means; NaN where there is nothing to divide by."""
        return class_scores(self.confusion, void=self.void, absent=self.absent)

    @property
    def miou(self) -> float | None:
        """Mean IoU over the classes."""
        return _known(self.scores.miou)

    @property
    def class_accuracy(self) -> float | None:
        """Mean recall over the classes."""
        return _known(self.scores.class_accuracy)

    @property
    def pixel_accuracy(self) -> float | None:
        """Share of the pixels of a class that are found."""
        return _known(self.scores.pixel_accuracy)

    @property
    def per_class(self) -> dict[str, float | None]:
        """IoU by class."""
        return dict(zip(self.classes.names, map(_known, self.scores.iou.tolist()), strict=True))

    @property
    def per_class_accuracy(self) -> dict[str, float | None]:
        """Recall by class."""
        return dict(zip(self.classes.names, map(_known, self.scores.recall.tolist()), strict=True))

    @property
    def reason(self) -> str | None:
        """Why there is no mIoU."""
        return NO_CLASS_LEFT if self.miou is None else None

    @property
    def images(self) -> int:
        """Number of images scored."""
        return len(self.counts.matrices)

    @property
    def partial(self) -> bool:
        """Whether pairs were left out."""
        return bool(self.counts.bad)

    @property
    def left_out(self) -> list[str]:
        """Classes without a score, which are not in the mean."""
        if self.absent == "zero":
            return []
        return [name for name, iou in self.per_class.items() if iou is None]

    @property
    def constant(self) -> tuple[str, float | None]:
        """Control: the best constant prediction's class and its mIoU."""
        counts = constant_counts(self.confusion)
        found = class_scores(counts, void=self.void, absent=self.absent)
        return self.classes.names[int(self.truth_pixels.argmax())], _known(found.miou)

    @property
    def truth_pixels(self) -> NDArray[np.int64]:
        """(K,): pixels of each class in the truth."""
        return self.confusion[:-1].sum(1)

    @property
    def void_pixels(self) -> int:
        """Pixels that are void in the truth."""
        return int(self.confusion[-1].sum())

    @property
    def class_predicted_void(self) -> int:
        """Pixels of a class in the truth that the prediction leaves void."""
        return int(self.confusion[:-1, -1].sum())

    def miou_under(self, void: Void) -> float | None:
        """Return the mIoU under another rule for void pixels."""
        return _known(class_scores(self.confusion, void=void, absent=self.absent).miou)

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the files and the classes."""
        return [*self._notes(), *map(str, self.ignored)]

    def document(self) -> dict[str, object]:
        """Return what `score miou --json` prints: percent to two decimals; `confusion` is exact."""
        name, constant = self.constant
        sizes = sorted(self.counts.sizes.items())
        return {
            "miou": _rounded(self.miou),
            "reason": self.reason,
            "unit": "percent",
            "per_class": {name: _rounded(iou) for name, iou in self.per_class.items()},
            "class_accuracy": _rounded(self.class_accuracy),
            "per_class_accuracy": {
                name: _rounded(recall) for name, recall in self.per_class_accuracy.items()
            },
            "pixel_accuracy": _rounded(self.pixel_accuracy),
            "images": self.images,
            "resolutions": {f"{h}x{w}": images for (h, w), images in sizes},
            "classes": self.classes.name,
            "void": self.void,
            "absent": self.absent,
            "classes_in_mean": len(self.classes.names) - len(self.left_out),
            "classes_left_out": self.left_out,
            "miou_by_void_rule": {
                rule: _rounded(self.miou_under(rule)) for rule in ("ignore", "penalise")
            },
            "controls": {"best_constant": {"class": name, "miou": _rounded(constant)}},
            "pixels": {
                "class": int(self.truth_pixels.sum()),
                "void": self.void_pixels,
                "class_predicted_void": self.class_predicted_void,
                "void_predicted_class": int(self.confusion[-1, :-1].sum()),
            },
            "ids": dict(self.counts.formats),
            "palette_files": self.counts.palettes,
            "confusion": self.confusion.tolist(),
            "confusion_labels": [*self.classes.names, "void"],
            "notes": self.notes,
            "partial": self.partial,
            "bad": [bad._asdict() for bad in self.counts.bad],
            "map": list(self.maps),
            "ignored": [ignored._asdict() for ignored in self.ignored],
        }

    def _notes(self) -> Iterator[str]:
        counts, truth = self.counts, self.truth_pixels
        for what, form in counts.formats.items():
            if form == "raw":
                yield f"{what}: raw ids (labelIds), mapped to the {len(self.classes.names)} classes"
        if counts.palettes:
            have = "files have" if counts.palettes > 1 else "file has"
            yield f"{counts.palettes} {have} a palette: its indices are read as ids"
        if not truth.any():
            yield "every pixel of the truth is void: there is no class accuracy" + (
                ", and no mIoU" if self.miou is None else ""
            )
        elif (truth > 0).sum() == 1:
            yield f"the truth holds one class only: {self.classes.names[int(truth.argmax())]}"
        if len(counts.sizes) > 1:
            yield f"the images have {len(counts.sizes)} sizes; every pixel counts the same"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{_cell(iou)}</td>"
            f"<td>{_cell(self.per_class_accuracy[name])}</td></tr>"
            for name, iou in self.per_class.items()
        )
        return (
            f"<table><caption>mIoU {_cell(self.miou)} % of {self.images} images (void"
            f" {self.void}, absent {self.absent})</caption>"
            f"<tr><th>class</th><th>IoU %</th><th>accuracy %</th></tr>{rows}</table>"
        )


def score_miou(
    pred: Path | str | Sequence[Array],
    truth: Path | str | Sequence[Array],
    *,
    classes: str | int,
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
        mb.score_miou([predicted], [true], classes=11)  # arrays (H, W), void = 255

    Args:
        pred: Folder of predicted label maps (PNG or .npy), or arrays (H, W) of class ids.
        truth: The ground truth: a folder with the same names, or arrays in the same order.
        classes: camvid11, cityscapes19, or a number of classes K (ids 0 to K-1, void 255).
        void: Pixels that are void in the truth: ignore, or penalise as false positives.
        absent: A class in neither truth nor prediction: skip it in the mean, or count it zero.
        pred_ids: Ids in the files of `pred`: raw (labelIds) or train; detected by default.
        truth_ids: Ids in the files of `truth`.
        maps: Meanings of single ids in files, as "255=1", "0=void" or "pred:0=1".
        skip_bad: Leave out pairs of files that cannot be scored; `counts.bad` lists them.
        threads: Files read at a time.

    Raises:
        UsageError: an unknown class set or rule.
        DataError: files or arrays that are not label maps of these classes, or do not match.
    """
    one_of("rule for --void", void, get_args(Void))
    one_of("rule for --absent", absent, get_args(Absent))
    known = class_set(str(classes))
    if isinstance(pred, Path | str) and isinstance(truth, Path | str):
        given = given_formats(known, pred_ids, truth_ids)
        pairs = pair_label_maps(Path(pred), Path(truth), known)
        return score_pairs(
            pairs, known, given, void, absent, maps=maps, skip_bad=skip_bad, threads=threads
        )
    if isinstance(pred, Path | str) or isinstance(truth, Path | str):
        raise UsageError("pred and truth: give two folders, or two sequences of arrays")
    if maps or pred_ids or truth_ids or skip_bad:
        raise UsageError("maps, pred_ids, truth_ids and skip_bad go with folders only")
    return MiouScore(known, void, absent, _count_arrays(pred, truth, known))


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
    """Return the mIoU of the pairs of two folders; arguments and errors as in `score_miou`.
    `given` are the formats of ids that are known; `on_pair` is called after each pair.
    """
    counts = count_folders(
        pairs,
        classes,
        given,
        maps=parse_maps(maps, classes),
        skip_bad=skip_bad,
        threads=threads,
        on_pair=on_pair,
    )
    return MiouScore(classes, void, absent, counts, tuple(maps), pairs.ignored)


def given_formats(
    classes: ClassSet, pred_ids: str | None, truth_ids: str | None
) -> dict[What, IdFormat]:
    """Return the formats of ids that are given. Raises `UsageError` for another one, and where the
    class set has one format only.
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
                f"{option}: --classes {classes.name} has one kind of ids; leave the option out"
            )
        given[what] = cast("IdFormat", one_of(f"kind for {option}", said, ("raw", "train")))
    return given


def _count_arrays(pred: Sequence[Array], truth: Sequence[Array], classes: ClassSet) -> FolderCounts:
    if len(pred) != len(truth) or not len(pred):
        raise DataError(f"{len(pred)} predictions and {len(truth)} truths; give as many of both")
    table = id_table(classes)
    matrices: dict[str, NDArray[np.int64]] = {}
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
        matrices[str(index)] = matrix
        sizes[true.shape] = sizes.get(true.shape, 0) + 1
    return FolderCounts(matrices, sizes, {"prediction": "train", "truth": "train"}, 0, ())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
