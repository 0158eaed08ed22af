"""Frames of a run's data set with its predictions, for the figure of sample frames."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.labels.stack import read_stack
from msaf_bench.errors import DataError
from msaf_bench.report.figures.strip import Picture, Strip
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Setting, Workspace

SEED = 0  #: seed of the shown predictions


def read_strip(
    workspace: Workspace, plan: Plan, root: Path | None, content: Collection[str]
) -> tuple[Strip | None, tuple[str, ...]]:
    """Return sample frames with predictions of the first seed, and notes on missing pictures.

    Args:
        workspace: folder of the run
        plan: plan of the run
        root: folder of the data set
        content: fingerprints of the data in the records; frames of other data are not shown

    Returns:
        The frames, or None if no row has predictions; and one note per damaged picture.
    """
    from msaf_bench.data import open_split  # only pictures need the data layer
    from msaf_bench.data.clips import sample_indices

    found = _predictions(workspace, plan)
    if not found:
        return None, ()
    readers = Setting(workspace, root, plugins=plan.plugins).readers(plan.conditions)
    clips = open_split(plan.conditions, "score", root, readers=readers)
    if clips.fingerprint not in {each.rpartition("/")[2] for each in content}:
        where = "the data set" if root is None else root
        return None, (
            f"Frames are not shown: the content of {where} differs from the data of the run.",
        )
    shown = [clips[i] for i in sample_indices(clips)]
    truths = [clip.label for clip in shown]
    predictions: dict[str, Sequence[Picture]] = {}
    notes: list[str] = []
    for label, path in found.items():
        try:
            predictions[label] = _maps(path, truths, len(clips.classes))
        except DataError as error:  # a damaged picture must not cost the table
            again = (
                f"move it and records/{path.stem}.json away and run `ablate --resume` to recreate"
                " it"
            )
            notes.append(f"The predictions of {label} are not shown: {error}; {again}.")
    if not predictions:
        return None, tuple(notes)
    strip = Strip(
        frames=[clip.frames[-1] for clip in shown],
        truths=truths,
        predictions=predictions,
        colours=clips.colours,
        class_names=clips.classes,
        names=[words_of(clip.name) for clip in shown],
        seed=SEED,
    )
    return strip, tuple(notes)


def words_of(name: str) -> str:
    """Return the name of a clip as words: "video 1, frame 2" of "00001/002"."""
    video, _, frame = name.rpartition("/")
    parts = (("video", video), ("frame", frame))
    return ", ".join(
        f"{noun} {int(part) if part.isdecimal() else part}" for noun, part in parts if part
    )


def _predictions(workspace: Workspace, plan: Plan) -> dict[str, Path]:
    """Return the file with the first seed's predictions by row label."""
    found: dict[str, Path] = {}
    for label, system in plan.systems().items():
        first = Trial(system=system, conditions=plan.conditions, seed=SEED)
        path = workspace.predictions(first)
        if path.exists():
            found[label] = path
    return found


def _maps(path: Path, truths: Sequence[NDArray[np.uint8]], classes: int) -> list[NDArray[np.uint8]]:
    """Return the predictions of some frames. Raises `DataError` if they do not fit the frames."""
    maps = read_stack(path, len(truths))
    for one, truth in zip(maps, truths, strict=True):
        if one.shape != truth.shape or one.max() >= classes:
            raise DataError(f"{path}: not the label maps of these frames")
    return maps
