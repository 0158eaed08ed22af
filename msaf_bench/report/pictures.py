"""The frames of a run's data set and its predictions, for the strip."""

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

SEED = 0  #: whose predictions are shown


def read_strip(
    workspace: Workspace, plan: Plan, root: Path | None, content: Collection[str]
) -> tuple[Strip | None, tuple[str, ...]]:
    """Return sample frames with the first seed's predictions, None where no row has any; and a note
    for each damaged picture. `root` is the data set's folder; frames of other data than the records
    read, by the fingerprints `content`, are not shown.
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
        return None, (f"Frames are not shown: {where} has other content than the run read.",)
    shown = [clips[i] for i in sample_indices(clips)]
    truths = [clip.label for clip in shown]
    predictions: dict[str, Sequence[Picture]] = {}
    notes: list[str] = []
    for label, path in found.items():
        try:
            predictions[label] = _maps(path, truths, len(clips.classes))
        except DataError as error:  # a picture that is cut is worth no table
            again = (
                f"move it and records/{path.stem}.json away and call `ablate --resume` to make it"
                " again"
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
    """The file of the first seed's predictions of every row that has one."""
    found: dict[str, Path] = {}
    for label, system in plan.systems().items():
        first = Trial(system=system, conditions=plan.conditions, seed=SEED)
        path = workspace.predictions(first)
        if path.exists():
            found[label] = path
    return found


def _maps(path: Path, truths: Sequence[NDArray[np.uint8]], classes: int) -> list[NDArray[np.uint8]]:
    """The predictions of some frames. Raises `DataError` where they are not these frames'."""
    maps = read_stack(path, len(truths))
    for one, truth in zip(maps, truths, strict=True):
        if one.shape != truth.shape or one.max() >= classes:
            raise DataError(f"{path}: not the label maps of these frames")
    return maps
