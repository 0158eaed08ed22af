"""Scoring of predictions for temporal consistency, from folders or arrays."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.flows import Pair
from msaf_bench.analyzers.consistency.folders import (
    PredictedFrames,
    open_predicted_split,
    open_predictions,
)
from msaf_bench.analyzers.consistency.presets import PRESETS
from msaf_bench.analyzers.consistency.scores import consistency
from msaf_bench.analyzers.consistency.tc_score import TcConditions, TcScore, result_of
from msaf_bench.analyzers.label_arrays import Array, label_arrays
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import ESTIMATORS, estimate, flat
from msaf_bench.data.flow.files import read_flow
from msaf_bench.data.frames.neighbours import neighbours
from msaf_bench.data.labels.classes import class_set
from msaf_bench.data.readers.predicted import check_source, files_of_split, truth_classes
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import VOID

Pictures = Sequence[NDArray[np.uint8]]  #: (H, W, 3) each


@dataclass(frozen=True)
class TcProtocol:
    """Presets and the source of the flow."""

    presets: tuple[str, ...]
    flow: str  #: one of `ESTIMATORS`, or flo:DIR
    backward: Path | None = None  #: folder of flow from later to earlier frames, with flo:DIR only

    @property
    def kind(self) -> str:
        """Name of the estimator, or flo."""
        return self.flow.partition(":")[0]

    @property
    def folder(self) -> Path:
        """Folder DIR of flo:DIR."""
        return Path(self.flow.partition(":")[2])

    @property
    def warped(self) -> bool:
        """Whether a preset needs flow."""
        return not all(PRESETS[name].window for name in self.presets)

    def inputs(self, keys: Iterable[str]) -> list[Path]:
        """Return the flow files of the frames `keys`."""
        if self.kind != "flo":
            return []
        places = [self.folder, *([self.backward] if self.backward else [])]
        return [place / f"{key}.flo" for key in keys for place in places]


def tc_protocol(
    presets: Sequence[str],
    flow: str,
    backward: Path | None = None,
    *,
    pictures: bool,
    classes: bool,
) -> TcProtocol:
    """Check the options and return the protocol.

    Args:
        presets: Names of presets; duplicates are dropped.
        flow: One of `ESTIMATORS`, or flo:DIR.
        backward: Folder of flow from later to earlier frames, with flo:DIR only.
        pictures: Whether images are available.
        classes: Whether the number of classes is known.

    Raises:
        UsageError: If a name is unknown or options conflict.
    """
    names = tuple(dict.fromkeys(one_of("consistency preset", name, PRESETS) for name in presets))
    protocol, (kind, _, folder) = TcProtocol(names, flow, backward), flow.partition(":")
    one_of("flow", kind, (*ESTIMATORS, "flo"))
    if (kind == "flo") != bool(folder):
        raise UsageError(f"--flow {flow}: write flo:DIR, or one of {', '.join(ESTIMATORS)}")
    if backward and kind != "flo":
        raise UsageError(f"--backward-flow requires --flow flo:DIR; {kind} has both directions")
    if protocol.warped and not pictures and kind not in ("flo", "zero"):
        raise UsageError(f"--flow {kind} is estimated from the frames; give --frames DIR or VIDEO")
    counted = [name for name in names if PRESETS[name].all_classes]
    if counted and not classes:
        raise UsageError(
            f"--preset {counted[0]} counts classes that never occur; give their number with"
            " --classes"
        )
    return protocol


@dataclass(frozen=True)
class FrameFlows:
    """Flow of pairs of frames, estimated or read from .flo files."""

    frames: PredictedFrames
    protocol: TcProtocol
    cache: Path | None = None  #: cache folder of estimated flow
    on_pair: Callable[[], None] = lambda: None
    #: indices of frames without texture, collected while flow is estimated
    flat: set[int] = field(default_factory=set[int])

    def __call__(self, pair: Pair) -> FlowField:
        """Return the flow of a pair. Raises `DataError` if maps, images and flow differ in size."""
        self.on_pair()
        if self.protocol.kind == "flo":
            found = self._read(pair)
            self.frames.check_sizes(pair, found)
            return found
        self.frames.check_sizes(pair)
        # Flow "zero" reads only the size, so label maps can stand in for missing images.
        pictures = self.frames.pictures or self.frames.predictions
        earlier, later = (pictures[index] for index in pair)
        if self.protocol.kind != "zero":
            seen = zip(pair, (earlier, later), strict=True)
            self.flat.update(index for index, picture in seen if flat(picture))
        return estimate(self.protocol.kind, earlier, later, self.cache)

    def _read(self, pair: Pair) -> FlowField:
        forward, back = (self.frames.keys[index] for index in pair)
        backward = self.protocol.backward
        return FlowField(
            read_flow(_flo(self.protocol.folder, forward)),
            read_flow(_flo(backward, back)) if backward else None,
        )


def _flo(folder: Path, key: str) -> Path:
    """Return the flow file of a frame, with suffix .flo, .FLO or .Flo."""
    return next(
        (
            path
            for path in (folder / f"{key}{end}" for end in (".flo", ".FLO", ".Flo"))
            if path.exists()
        ),
        folder / f"{key}.flo",
    )


def score_tc(
    pred: Path | str | Sequence[Array],
    frames: Path | str | Pictures | None = None,
    *,
    flow: str = "dis",
    preset: str | Sequence[str] = "clean",
    classes: str | int | None = None,
    truth: Path | str | Sequence[Array] | None = None,
    data: str | None = None,
    root: Path | str | None = None,
    split: str | None = None,
    backward_flow: Path | str | None = None,
    maps: Sequence[str] = (),
    frame_pattern: str | None = None,
    flow_cache: Path | str | None = None,
    skip_bad: bool = False,
) -> TcScore:
    """Return the temporal consistency of predicted label maps, with controls for comparison.

        score = mb.score_tc("predictions", "frames", preset=["clean", "ewarp"], classes=19)
        score.tc, score.results[0].score.controls
        mb.score_tc("predictions", data="vspw", root="VSPW_480p", preset="vc8")
        mb.score_tc([map_0, map_1], [frame_0, frame_1])  # arrays of one video

    Args:
        pred: Folder of predicted label maps (PNG or .npy, one subfolder per video), or a sequence
            of the label maps (H, W) of one video.
        frames: Frames of the video: a folder with the same names, a video file (label maps are
            then named by frame number, starting with 000000.png), or images (H, W, 3).
        flow: dis, farneback, raft, zero, or flo:DIR with one .flo file per pair, named after the
            earlier frame.
        preset: One or several of clean, etc2020, etc2020-thc, vspw2021, ewarp, vc8, vc16.
        classes: camvid11, cityscapes19, a data set or its file, or a number of classes; by default
            as many as the ids need.
        truth: Ground truth, in the form of `pred`. Gives a control; required by vc8 and vc16.
        data: Data set, as a name or a description file, instead of `frames`, `truth` and
            `classes`. Predictions are named VIDEO/FRAME, or like the frames or label maps of the
            data set. Ground truth is used only if every predicted frame is labelled.
        root: Folder of the data set; by default the folder of the `.toml` file.
        split: Split of the data set; by default its scored split.
        backward_flow: Folder of flow from later to earlier frames, with flo:DIR only.
        maps: Mappings from ids in files to classes, such as "255=1" or "0=void".
        frame_pattern: Position of the frame number in a file name, such as "img_{frame}_v2".
        flow_cache: Folder for reuse of estimated flow in later calls.
        skip_bad: Leave out frames without a prediction (with `data`, labelled frames), and accept
            an incomplete data set; `conditions.frames.incomplete` then says why it is incomplete.

    Raises:
        UsageError: If a name is unknown or arguments conflict.
        DataError: If files or arrays do not match each other.
    """
    check_source(
        data,
        {"frames": frames, "truth": truth, "classes": classes, "frame_pattern": frame_pattern},
        {"root": root, "split": split},
    )
    named = [preset] if isinstance(preset, str) else preset
    backward = Path(backward_flow) if backward_flow is not None else None
    described = data is not None
    protocol = tc_protocol(
        named,
        flow,
        backward,
        pictures=described or frames is not None,
        classes=described or classes is not None,
    )
    known = None if classes is None else class_set(str(classes))
    if data is not None:
        if not isinstance(pred, Path | str):
            raise UsageError("pred: with `data`, give a folder; arrays have no frame names")
        known, place = truth_classes(data), None if root is None else Path(root)
        files = files_of_split(known.name, place, split, partial=skip_bad)
        opened = open_predicted_split(Path(pred), files, known, maps, skip_bad=skip_bad)
    elif isinstance(pred, Path | str):
        if not isinstance(frames, Path | str | None) or not isinstance(truth, Path | str | None):
            raise UsageError("pred, frames and truth: give folders, or sequences of arrays")
        opened = open_predictions(
            Path(pred),
            None if frames is None else Path(frames),
            None if truth is None else Path(truth),
            known,
            maps,
            skip_bad=skip_bad,
            pattern=frame_pattern,
        )
    else:
        if isinstance(frames, Path | str) or isinstance(truth, Path | str):
            raise UsageError("pred, frames and truth: give folders, or sequences of arrays")
        opened = _one_video(pred, frames, truth, classes)
    return score_frames(opened, protocol, cache=Path(flow_cache) if flow_cache else None)


def score_frames(
    frames: PredictedFrames,
    protocol: TcProtocol,
    *,
    cache: Path | None = None,
    on_pair: Callable[[], None] = lambda: None,
) -> TcScore:
    """Return the temporal consistency of predictions under a protocol.

    Args:
        frames: Predictions with their ground truth and images.
        protocol: Presets and source of the flow.
        cache: Cache folder of estimated flow.
        on_pair: Called before each pair is scored.
    """
    flows = FrameFlows(frames, protocol, cache, on_pair)
    found = consistency(
        frames.predictions,
        frames.truths,
        frames.neighbours.pairs,
        flows,
        protocol.presets,
        len(frames.classes.names),
        frames.pictures,
    )
    conditions = _conditions(frames, protocol, frozenset(flows.flat))
    return TcScore(tuple(result_of(score, frames) for score in found), conditions)


def _conditions(
    frames: PredictedFrames, protocol: TcProtocol, flat_frames: frozenset[int]
) -> TcConditions:
    flow = protocol.flow if protocol.warped else "none"
    kind = flow.partition(":")[0]
    known = kind != "flo" or protocol.backward is not None
    return TcConditions(
        flow,
        {"flo": "files", "none": "the presets need none", **ESTIMATORS}[kind],
        (
            "forward/backward check and motion boundaries"
            if known
            else "motion boundaries only, without backward flow"
        ),
        frames,
        flat_frames,
    )


def _one_video(
    pred: Sequence[Array],
    frames: Pictures | None,
    truth: Sequence[Array] | None,
    classes: str | int | None,
) -> PredictedFrames:
    """Check the arrays of one video and return them with frame names 000000, 000001, ..."""
    for what, given in (("frames", frames), ("truths", truth)):
        if given is not None and len(given) != len(pred):
            raise DataError(f"{len(pred)} predictions and {len(given)} {what}; give equal numbers")
    predictions = label_arrays(pred, "prediction")
    truths = None if truth is None else label_arrays(truth, "truth")
    used = {int(i) for labels in (*predictions, *(truths or ())) for i in np.unique(labels)}
    needed = max(2, 1 + max(used - {VOID}, default=0))
    known = class_set(str(needed if classes is None else classes))
    stray = sorted(i for i in used if i >= len(known.names) and i != VOID)
    if stray:
        raise DataError(
            f"the maps contain id {stray[0]}; give 0 to {len(known.names) - 1}, or 255 for void"
        )
    keys = [f"{index:06}" for index in range(len(pred))]
    return PredictedFrames(keys, known, neighbours(keys), predictions, truths, frames)
