"""Result of mIoU scoring: scores, rules and notes.

Shapes: N images, K classes, H W label map.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import Absent, ClassScores, Void, class_scores, constant_counts
from msaf_bench.analyzers.miou_folders import FolderCounts
from msaf_bench.data.labels.classes import CLASS_SETS, ClassSet
from msaf_bench.folders import Ignored

NO_CLASS_LEFT = "every pixel of the truth is void"  #: reason for a missing mIoU


@dataclass(frozen=True)
class MiouScore:
    """mIoU of a set of label maps; scores are in percent, or None for a zero denominator."""

    classes: ClassSet
    void: Void
    absent: Absent
    counts: FolderCounts
    maps: tuple[str, ...] = ()  #: id mappings, as given by `--map`
    ignored: tuple[Ignored, ...] = ()  #: ignored files
    data: str = ""  #: data set and split of the ground truth; empty for a folder or arrays
    incomplete: str = ""  #: why the split differs from the official one; empty if it does not

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Number of pixels (K+1, K+1): rows ground truth, columns prediction, void last."""
        return self.counts.matrices.sum()

    @cached_property
    def scores(self) -> ClassScores:
        """Scores by class and their means; NaN for a zero denominator."""
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
        """Share of correct pixels among those whose ground truth is not void."""
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
        """Why the mIoU is missing; None if it is not."""
        return NO_CLASS_LEFT if self.miou is None else None

    @property
    def images(self) -> int:
        """Number of scored images."""
        return len(self.counts.matrices)

    @property
    def partial(self) -> bool:
        """Whether some pairs were left out or are missing from the data set."""
        return bool(self.counts.bad or self.incomplete)

    @property
    def left_out(self) -> list[str]:
        """Classes left out of the mean because they have no score."""
        if self.absent == "zero":
            return []
        return [name for name, iou in self.per_class.items() if iou is None]

    @property
    def constant(self) -> tuple[str, float | None]:
        """Control: class and mIoU of the best constant prediction."""
        counts = constant_counts(self.confusion)
        found = class_scores(counts, void=self.void, absent=self.absent)
        return self.classes.names[int(self.truth_pixels.argmax())], _known(found.miou)

    @property
    def truth_pixels(self) -> NDArray[np.int64]:
        """Number of pixels of each class in the ground truth, (K,)."""
        return self.confusion[:-1].sum(1)

    @property
    def void_pixels(self) -> int:
        """Number of void pixels in the ground truth."""
        return int(self.confusion[-1].sum())

    @property
    def class_predicted_void(self) -> int:
        """Number of pixels of a true class that are predicted as void."""
        return int(self.confusion[:-1, -1].sum())

    def miou_under(self, void: Void) -> float | None:
        """Return the mIoU under another rule for void pixels."""
        return _known(class_scores(self.confusion, void=void, absent=self.absent).miou)

    @property
    def notes(self) -> list[str]:
        """Notes about files and classes, one line each."""
        return [*self._notes(), *map(str, self.ignored)]

    def document(self) -> dict[str, object]:
        """Return the output of `score miou --json`: percent to two decimals, exact `confusion`."""
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
            "data": self.data or None,
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
            "incomplete": self.incomplete or None,
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
            yield f"{counts.palettes} {have} a palette: palette indices are read as ids"
        if not truth.any():
            yield "every pixel of the truth is void: there is no class accuracy" + (
                ", and no mIoU" if self.miou is None else ""
            )
        elif (truth > 0).sum() == 1:
            yield f"the truth has only one class: {self.classes.names[int(truth.argmax())]}"
        yield from self._unused()
        if len(counts.sizes) > 1:
            yield f"the images have {len(counts.sizes)} sizes; every pixel has the same weight"

    def _unused(self) -> Iterator[str]:
        """Warn if the last ids never occur and classes were given as a number only.

        The number may be wrong, and a void id may be counted as a class.
        """
        seen = np.flatnonzero(self.confusion[:-1].sum(1) + self.confusion[:, :-1].sum(0))
        classes = len(self.classes.names)
        if not (self.classes.name.isdigit() and len(seen) and seen[-1] < classes - 2):
            return
        last = int(seen[-1])
        fits = [
            name
            for name, known in CLASS_SETS.items()
            if len(known.names) == last + 1 or last in known.void
        ]
        asked = f"; are these the classes of {' or '.join(fits)}?" if fits else ""
        yield f"ids {last + 1} to {classes - 1} never occur in truth or predictions{asked}"

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


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
