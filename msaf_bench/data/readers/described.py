"""Opening of a data set on disk by its description."""

from pathlib import Path
from typing import NamedTuple

from msaf_bench.data.cache import Cache
from msaf_bench.data.readers.neighbours import SplitFiles
from msaf_bench.data.readers.splits import find_split
from msaf_bench.data.readers.videos import LabelledVideos, Split
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import Conditions
from msaf_bench.spec.data_sets import DataSet


def open_described(
    data_set: DataSet,
    conditions: Conditions,
    split: Split,
    root: Path,
    cache: Cache | None = None,
) -> LabelledVideos:
    """Open a split of a data set.

    A history frame is the frame of the same video with the right number. From 10 source frames on,
    a number off by one also counts as right. Options in `conditions.data_options`:

    - `allow_partial` = true accepts another number of frames than in the official split;
    - `scored` = "test" scores that split instead of the data set's default;
    - `within_drive` = true scores the second half of the scored split, and trains on its first half
      in addition to the training split.

    Args:
        data_set: the description.
        conditions: the options of the data set and the form of the clips.
        split: "train" or "score".
        root: the data set's folder.
        cache: stores decoded frames of a data set that is not held in memory.

    Raises:
        UsageError: for an unknown option.
        DataError: for the first fault of the files.
    """
    options = _options(data_set, conditions)
    part = data_set.train if split == "train" else options.scored
    files = find_split(data_set, part, root, partial=options.allow_partial)
    if options.within_drive:
        scored = (
            files
            if split == "score"
            else find_split(data_set, options.scored, root, partial=options.allow_partial)
        )
        first, second = _halves(scored, conditions.frames)
        files = _joined(files, first) if split == "train" else second
    return LabelledVideos(conditions, split, files, in_memory=data_set.in_memory, cache=cache)


class _Options(NamedTuple):
    scored: str
    allow_partial: bool
    within_drive: bool


def _options(data_set: DataSet, conditions: Conditions) -> _Options:
    given, name = dict(conditions.data_options), data_set.name
    for option in given:
        one_of(f"{name} option", option, _Options._fields)
    for option in ("allow_partial", "within_drive"):
        if not isinstance(given.get(option, False), bool):
            raise UsageError(f"{name} option {option} = {given[option]!r}: needs true or false")
    scored = str(given.get("scored", data_set.scored))
    within = bool(given.get("within_drive", False))
    others = [split for split, _ in data_set.splits if split != data_set.train]
    if scored not in others:
        raise UsageError(
            f"{name} option scored = {scored!r}: needs {' or '.join(map(repr, others))}"
        )
    if within and scored != data_set.scored:
        raise UsageError(
            f"{name} option within_drive scores a half of {data_set.scored}; leave out scored ="
            f" {scored!r}"
        )
    return _Options(scored, bool(given.get("allow_partial", False)), within)


def _halves(files: SplitFiles, frames: int) -> tuple[SplitFiles, SplitFiles]:
    """Cut a split in time.

    The second half starts with the first clip whose past frames do not lie in the first half.
    """
    labelled = files.labelled
    cut = len(labelled) // 2
    if cut + frames - 1 >= len(labelled):
        raise DataError(
            f"{files.place}: {len(labelled)} frames are too few for two halves of clips of"
            f" {frames} frames"
        )
    border = labelled[cut]
    after = {
        (video, number): file
        for (video, number), file in files.frames.items()
        if video != border.video or number >= border.number
    }
    first = files._replace(labelled=labelled[:cut])
    second = files._replace(labelled=labelled[cut + frames - 1 :], frames=after)
    return first, second


def _joined(one: SplitFiles, other: SplitFiles) -> SplitFiles:
    labelled = tuple(sorted((*one.labelled, *other.labelled)))
    return one._replace(labelled=labelled, frames=one.frames | other.frames)
