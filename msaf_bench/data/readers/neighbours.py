"""Grouping of a video's frames: the past of a clip, and pairs of neighbours.

Frame numbers count source frames.
"""

from itertools import pairwise
from typing import NamedTuple

from msaf_bench.data.histories import Histories, histories
from msaf_bench.data.readers.files import File
from msaf_bench.errors import UsageError
from msaf_bench.spec import Conditions
from msaf_bench.spec.data_sets import Colour, LabelFormat

Key = tuple[str, int]  #: video and frame number

# From this spacing in source frames on, a frame number may be off by one.
_SPARSE = 10


class Labelled(NamedTuple):
    """Labelled frame of a video; frame numbers count source frames."""

    video: str
    number: int
    image: File
    label: File
    form: LabelFormat


class SplitFiles(NamedTuple):
    """Files of a split, as found by a reader."""

    data: str  #: name of the data set
    place: str  #: for messages
    classes: tuple[str, ...]
    colours: tuple[Colour, ...]  #: class colours; if empty, colours are generated
    labelled: tuple[Labelled, ...]  #: sorted by video and number
    frames: dict[Key, File]  #: all frames, including the labelled ones
    step: int  #: source frames between labelled neighbours
    split: str  #: name of the split
    incomplete: str = ""  #: difference from the official split; empty if complete


def _tolerances(spacing: int) -> tuple[int, ...]:
    """Return the allowed errors of a frame number, best first."""
    return (0, -1, 1) if spacing >= _SPARSE else (0,)


def are_neighbours(earlier: Labelled, later: Labelled, step: int) -> bool:
    """Return whether two frames follow each other in a video."""
    off = later.number - earlier.number - step
    return earlier.video == later.video and off in _tolerances(step)


def pasts_of(files: SplitFiles, conditions: Conditions, spacing: int) -> Histories[File]:
    """Return the clips that end at the labelled frames.

    Raises `UsageError` if none has any history.
    """
    labelled = files.labelled

    def past(i: int, back: int) -> File | None:
        newest = labelled[i]
        if back * spacing == 0:
            return newest.image
        return _frame_at(files, newest.video, newest.number - back * spacing, spacing)

    def missing(i: int, back: int) -> str:
        newest = labelled[i]
        return (
            f"{newest.image}: frame {newest.number - back * spacing} of {newest.video} is missing"
        )

    whole = histories(len(labelled), past, conditions.frames, conditions.history, missing)
    if len(labelled) > 1 and whole.repeated == len(labelled) * (conditions.frames - 1) > 0:
        steps = {b.number - a.number for a, b in pairwise(labelled) if a.video == b.video}
        raise UsageError(
            f"{files.data}: no two frames of {files.place} are {spacing} source frames apart;"
            f" existing steps are {sorted(steps)[:8]}, and --set frames=1 needs none"
        )
    return whole


class Unlabelled(NamedTuple):
    """Clip whose newest frame has no label map."""

    video: str
    number: int
    files: tuple[File, ...]


def unlabelled_of(
    files: SplitFiles,
    labelled: tuple[Labelled, ...],
    pairs: tuple[tuple[int, int], ...],
    conditions: Conditions,
) -> tuple[tuple[Unlabelled, ...], list[tuple[int, int]]]:
    """Return clips for unlabelled neighbours of labelled frames that are in no pair.

    The distance to a neighbour is that of two labelled neighbours of the split.

    Args:
        files: the files of the split.
        labelled: the labelled frames.
        pairs: pairs of labelled neighbours, by index.
        conditions: the number and spacing of frames in a clip.

    Returns:
        the clips, and the pairs of labelled and unlabelled frames; the unlabelled clips are
        numbered from `len(labelled)` on.
    """
    paired = {index for pair in pairs for index in pair}
    clips: list[Unlabelled] = []
    found: list[tuple[int, int]] = []
    for index, newest in enumerate(labelled):
        if index in paired:
            continue
        for number in (newest.number - files.step, newest.number + files.step):
            if (newest.video, number) not in files.frames:
                continue
            history = _past_of(files, newest.video, number, conditions)
            own = len(labelled) + len(clips)
            found.append((own, index) if number < newest.number else (index, own))
            clips.append(Unlabelled(newest.video, number, history))
            break
    return tuple(clips), found


def _past_of(
    files: SplitFiles, video: str, number: int, conditions: Conditions
) -> tuple[File, ...]:
    """Return the files of the clip that ends at a frame, oldest first.

    The oldest existing frame replaces missing ones.
    """
    newest = files.frames[video, number]
    found = [newest]
    while len(found) < conditions.frames:
        back = len(found) * conditions.score_spacing
        past = _frame_at(files, video, number - back, conditions.score_spacing) if back else newest
        found.append(past or found[-1])
        if past is None:
            found += [found[-1]] * (conditions.frames - len(found))
    return tuple(reversed(found))


def _frame_at(files: SplitFiles, video: str, number: int, spacing: int) -> File | None:
    """Return the file of a frame, or of its substitute at this spacing."""
    places = ((video, number + off) for off in _tolerances(spacing))
    return next((files.frames[place] for place in places if place in files.frames), None)
