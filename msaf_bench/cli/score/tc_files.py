"""The files that `msaf-bench score tc` reads and writes."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.measure import PRESETS, Consistency, chains
from msaf_bench.data.flow import Flow
from msaf_bench.data.flow.estimators import ESTIMATORS, estimate, flat
from msaf_bench.data.flow.files import read_flow
from msaf_bench.data.frames.files import SUFFIXES, frame_size, read_frame
from msaf_bench.data.frames.neighbours import Neighbours, neighbours
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.files import ids_in_use, read_known_ids, read_label_map
from msaf_bench.data.labels.ids import IdMap, What, parse_maps
from msaf_bench.data.labels.occurrence import check_alone, check_sparse
from msaf_bench.data.labels.pairs import list_label_maps
from msaf_bench.documents import json_text
from msaf_bench.errors import DataError
from msaf_bench.folders import Ignored, list_by_key
from msaf_bench.outputs import write_outputs
from msaf_bench.report.tables.spreadsheet import csv_document
from msaf_bench.spec import VOID

REPORTS = ("tc.json", "tc_pairs.csv", "tc_matrices.npz")  #: that `write_reports` writes
_KEPT = 4  # maps or pictures in memory, of each kind


class Files:
    """Pictures or label maps by the index of their frame, read when they are asked for."""

    def __init__(self, paths: Sequence[Path], read: Callable[[Path], NDArray[np.uint8]]) -> None:
        self._paths, self._read = paths, lru_cache(_KEPT)(read)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._read(self._paths[index])


@dataclass(frozen=True)
class Footage:
    """A folder of predictions and what belongs to it, by the index of the frame."""

    keys: Sequence[str]
    classes: ClassSet
    neighbours: Neighbours
    predictions: Files
    truths: Files | None
    pictures: Files | None
    unpredicted: Sequence[str]  #: frames without a prediction
    inputs: Sequence[Path]
    ignored: Sequence[Ignored]
    turned: Sequence[Path]  #: frames that are turned as their EXIF orientation says
    #: frames without texture; fills while flow is estimated
    flat: set[int] = field(default_factory=set[int])

    def flows(
        self,
        kind: str,
        folder: Path,
        backward: Path | None,
        cache: Path | None,
        step: Callable[[], None],
    ) -> Callable[[tuple[int, int]], Flow]:
        """What gives a pair's flow, by an estimator or from .flo files. `step` is called for each
        pair.
        """

        def flow(pair: tuple[int, int]) -> Flow:
            step()
            if kind == "flo":
                forward, back = (self.keys[index] for index in pair)
                found = Flow(
                    read_flow(_flo(folder, forward)),
                    read_flow(_flo(backward, back)) if backward else None,
                )
                self._check_sizes(
                    pair, {"forward flow": found.forward, "backward flow": found.backward}
                )
                return found
            self._check_sizes(pair, {})
            # Where there is no motion, any picture of the right size will do.
            earlier, later = ((self.pictures or self.predictions)[index] for index in pair)
            if kind != "zero":
                self.flat.update(
                    index
                    for index, picture in zip(pair, (earlier, later), strict=True)
                    if flat(picture)
                )
            return estimate(kind, earlier, later, cache)

        return flow

    def _check_sizes(self, pair: tuple[int, int], flow: Mapping[str, NDArray[Any] | None]) -> None:
        """All that belongs to a pair has one size. Raises `DataError`."""
        size = self.predictions[pair[0]].shape
        read = {f"{what} of {self.keys[pair[0]]}": each for what, each in flow.items()}
        for what, files in (
            ("prediction", self.predictions),
            ("truth", self.truths),
            ("frame", self.pictures),
        ):
            read |= {f"{what} of {self.keys[index]}": files and files[index] for index in pair}
        for what, each in read.items():
            if each is not None and each.shape[:2] != size:
                sizes = ["x".join(map(str, shape)) for shape in (each.shape[:2], size)]
                raise DataError(
                    f"{what}: {sizes[0]} (HxW), but the prediction of {self.keys[pair[0]]} is"
                    f" {sizes[1]}; bring all to one size"
                )

    def conditions(self, flow: str, backward: Path | None) -> dict[str, Any]:
        """What the numbers hold under."""
        kind = flow.partition(":")[0]
        known = kind != "flo" or backward is not None
        return {
            "flow": flow,
            "flow_made_by": {"flo": "files", "none": "the presets need none", **ESTIMATORS}[kind],
            "occlusion": (
                "forward/backward check and motion boundaries"
                if known
                else "motion boundaries only, for want of backward flow"
            ),
            "classes": self.classes.name,
            "frames": len(self.keys),
            "gaps": len(self.neighbours.gaps),
            "steps": list(self.neighbours.steps),
            "numbering": self.neighbours.describe(self.keys),
            "ignored": [ignored._asdict() for ignored in self.ignored],
            "partial": bool(self.unpredicted),
            "bad": list(self.unpredicted),
            "notes": list(self._notes()),
        }

    def _notes(self) -> Iterator[str]:
        yield from map(str, self.ignored)
        if self.turned:
            yield (
                f"{len(self.turned)} frames are turned as their EXIF orientation says, such as"
                f" {self.turned[0].name}"
            )
        if self.neighbours.gaps:
            before, after = (self.keys[index] for index in self.neighbours.gaps[0])
            yield (
                f"gaps: {len(self.neighbours.gaps)}, such as from {before} to {after}; no pair"
                " reaches across one"
            )
        if self.unpredicted:
            yield (
                f"PARTIAL: {len(self.unpredicted)} frames have no prediction and are left out, such"
                f" as {self.unpredicted[0]}"
            )
        if self.flat:
            first = self.keys[min(self.flat)]
            yield (
                f"low confidence: {len(self.flat)} frames have no texture, such as {first}; the"
                " flow estimated there means nothing"
            )


def _flo(folder: Path, key: str) -> Path:
    """The flow file of a frame, in any case of its suffix."""
    return next(
        (
            path
            for path in (folder / f"{key}{end}" for end in (".flo", ".FLO", ".Flo"))
            if path.exists()
        ),
        folder / f"{key}.flo",
    )


def open_footage(
    pred: Path,
    frames: Path | None,
    truth: Path | None,
    classes: ClassSet | None,
    maps: Sequence[str],
    *,
    skip_bad: bool,
    pattern: str | None = None,
) -> Footage:
    """List the folders and read which ids are in use; without `classes` there are as many as the
    largest id needs.

    Raises `DataError` where a frame or truth of a prediction is missing, or, unless `skip_bad`, a
    prediction; and where ids that may be a class would be void.
    """
    found = list_label_maps(pred)
    predictions, keys = found.by_key, list(found.by_key)

    def belonging(folder: Path, there: Mapping[str, Path]) -> list[Path]:
        missing = [key for key in keys if key not in there]
        if missing:
            more = f"and {len(missing) - 1} more of {len(keys)} are missing"
            raise DataError(
                f"{folder}: nothing there is called {missing[0]!r}, {more}; names must be those of"
                f" {pred}"
            )
        return [there[key] for key in keys]

    pictures = list_by_key(frames, SUFFIXES, "frame") if frames else None
    truths = list_label_maps(truth) if truth else None
    unpredicted = [key for key in pictures.by_key if key not in predictions] if pictures else []
    if unpredicted and not skip_bad:
        more = f"and {len(unpredicted) - 1} more of {len(pictures.by_key) if pictures else 0}"
        raise DataError(
            f"{pred}: no prediction for frame {unpredicted[0]!r}, {more}; add --skip-bad to score"
            " the others"
        )
    shown = belonging(frames, pictures.by_key) if frames and pictures else []
    true = belonging(truth, truths.by_key) if truth and truths else []
    paths: dict[What, Sequence[Path]] = {"prediction": list(predictions.values()), "truth": true}
    known, mapped = _check_ids(paths, classes, maps)
    return Footage(
        keys,
        known,
        neighbours(keys, pattern),
        Files(
            paths["prediction"],
            lambda path: read_label_map(
                path, known, what="prediction", mapped=mapped["prediction"]
            ),
        ),
        (
            Files(
                true, lambda path: read_label_map(path, known, what="truth", mapped=mapped["truth"])
            )
            if true
            else None
        ),
        Files(shown, read_frame) if shown else None,
        unpredicted,
        (*predictions.values(), *true, *shown),
        tuple(
            dict.fromkeys(
                ignored for of in (found, pictures, truths) if of for ignored in of.ignored
            )
        ),
        [path for path in shown if frame_size(path)[1]],
    )


def _check_ids(
    paths: Mapping[What, Sequence[Path]], classes: ClassSet | None, maps: Sequence[str]
) -> tuple[ClassSet, Mapping[What, IdMap]]:
    """The classes and what the ids are, from every label map. Raises `DataError` for the first that
    is wrong.
    """
    mapped, widest = parse_maps(maps, classes), class_set(str(VOID))
    ids: dict[What, set[int]] = {"prediction": set(), "truth": set()}
    for what, of in paths.items():
        for path in of:
            ids[what] |= ids_in_use(
                read_known_ids(path, classes or widest, what=what, mapped=mapped[what])
            )
    if classes is None:
        used = {mapped[what].get(i, i) for what in ids for i in ids[what]} - {VOID}
        if any(VOID in of and VOID not in mapped[what] for what, of in ids.items()):
            check_sparse(used)
        classes = class_set(str(max(2, 1 + max(used, default=0))))
        mapped = parse_maps(maps, classes)
    for what, of in ids.items():
        if of:
            check_alone(of, classes, mapped, what)
    return classes, mapped


def write_reports(
    document: Mapping[str, Any], found: Sequence[Consistency], footage: Footage, folder: Path
) -> list[Path]:
    """`tc.json`, what is printed; `tc_pairs.csv`, each pair or window by itself; `tc_matrices.npz`,
    (P, K, K) for presets with matrices.
    """
    packed = io.BytesIO()
    matrices: dict[str, Any] = {
        result.preset: result.matrices for result in found if result.matrices is not None
    }
    np.savez_compressed(packed, **matrices)
    files: dict[str, str | bytes] = {
        "tc.json": json_text(document),
        # names of files may be no text
        "tc_pairs.csv": _pairs_csv(found, footage).encode(errors="backslashreplace"),
        "tc_matrices.npz": packed.getvalue(),
    }
    return write_outputs(folder, files)


def _pairs_csv(found: Sequence[Consistency], footage: Footage) -> str:
    lines: list[tuple[object, ...]] = [("preset", "first", "last", "tc")]
    videos = chains(footage.neighbours.pairs)
    for result in (result for result in found if result.pairs):
        preset = PRESETS[result.preset]
        # windows lose the last one of a video
        reach, lost = (preset.window - 1, 1) if preset.window else (1, 0)
        spans = [
            span
            for video in videos
            for span in zip(video, video[reach : len(video) - lost], strict=False)
        ]
        values = result.parts if result.matrices is None else map(preset.mean, result.matrices)
        for (first, last), value in zip(spans, values, strict=True):
            lines.append(
                (
                    result.preset,
                    footage.keys[first],
                    footage.keys[last],
                    value if value == value else "",
                )
            )
    return csv_document(lines)
