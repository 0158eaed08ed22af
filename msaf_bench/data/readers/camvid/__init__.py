"""CamVid with 11 classes. Frame numbers count source frames at 30 Hz.

`original` and `segnet` each read one layout of the folder; `splits` has the official splits.
"""

from pathlib import Path
from typing import NamedTuple

from msaf_bench.data.readers.camvid import original, segnet
from msaf_bench.data.readers.camvid.splits import COUNTS
from msaf_bench.data.readers.videos import LabelledVideos, Split, SplitFiles
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import Conditions

_NO_LAYOUT = (
    "--root must hold train, trainannot, val and valannot of CamVid, or 701_StillsRaw_full and"
    " LabeledApproved_full"
)


def open_camvid(conditions: Conditions, split: Split, root: Path) -> LabelledVideos:
    """Open a split of CamVid in the layout that `root` has, read into memory.

    A history frame is the frame of the same drive with the right number; from 10 source frames on,
    a number off by one counts as right. Options in `conditions.data_options`:

    - `allow_partial` = true accepts another number of frames than the official split has;
    - `scored` = "test" scores that split instead of val;
    - `within_drive` = true scores the second half of val, labelled at 15 Hz, and trains on the
      first half beside train.

    Raises `UsageError` for an unknown option, `DataError` for the first fault of the files.
    """
    options = _options(conditions)
    part = "train" if split == "train" else options.scored
    files = _find_split(root, part, partial=options.allow_partial)
    if options.within_drive:
        val = files if part == "val" else _find_split(root, "val", partial=options.allow_partial)
        first, second = _halves(val, conditions.frames)
        files = _joined(files, first) if split == "train" else second
    return LabelledVideos(conditions, split, files, in_memory=True)


class _Options(NamedTuple):
    scored: str
    allow_partial: bool
    within_drive: bool


def _options(conditions: Conditions) -> _Options:
    given = dict(conditions.data_options)
    for name in given:
        one_of("camvid option", name, _Options._fields)
    for name in ("allow_partial", "within_drive"):
        if not isinstance(given.get(name, False), bool):
            raise UsageError(f"camvid option {name} = {given[name]!r}: needs true or false")
    scored, within = str(given.get("scored", "val")), bool(given.get("within_drive", False))
    if scored not in ("val", "test"):
        raise UsageError(f"camvid option scored = {scored!r}: needs 'val' or 'test'")
    if within and scored != "val":
        raise UsageError(
            "camvid option within_drive scores a half of val; leave out scored = 'test'"
        )
    return _Options(scored, bool(given.get("allow_partial", False)), within)


def _find_split(root: Path, part: str, *, partial: bool) -> SplitFiles:
    """Return the files of an official split, in either layout."""
    if original.is_here(root):
        files = original.find_split(root, part)
    elif segnet.is_here(root):
        files = segnet.find_split(root, part)
    else:
        raise DataError(f"{root / 'train'}: no such folder; {_NO_LAYOUT}")
    if len(files.labelled) != COUNTS[part] and not partial:
        raise DataError(
            f"{files.place}: {len(files.labelled)} frames, the official split has {COUNTS[part]};"
            " copy the data set again"
        )
    return files


def _halves(files: SplitFiles, frames: int) -> tuple[SplitFiles, SplitFiles]:
    """Cut a split in time. The clips of the second half begin where their past frames no longer lie
    in the first.
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
