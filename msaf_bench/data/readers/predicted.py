"""Predictions in a folder, named after the frames of a data set."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msaf_bench.data.readers.files import File
from msaf_bench.data.readers.neighbours import Key, SplitFiles
from msaf_bench.errors import DataError, and_more


def frames_of_names(names: Sequence[str], files: SplitFiles, folder: Path) -> dict[str, Key]:
    """Return the frame that each name of a prediction, without its suffix, belongs to.

    A name is VIDEO/NUMBER with any number of zeros, or the name of the frame's own file, with its
    folders or without. Raises `DataError` for the first name that is no frame of the split.
    """
    own = _names_of_files(files.frames)
    found: dict[str, Key] = {}
    for name in names:
        video, _, number = name.rpartition("/")
        key = (video, int(number)) if number.isdecimal() else None
        if key not in files.frames:
            key = own.get(name)
        if key is not None:
            found[name] = key
    stray = [name for name in names if name not in found]
    if stray:
        video, number = next(iter(files.frames))
        raise DataError(
            f"{folder}: {stray[0]!r}{and_more(len(stray) - 1, len(names))} is no frame of"
            f" {files.data}, {files.place}; name predictions VIDEO/FRAME, such as"
            f" {video}/{number:06d}"
        )
    return found


def _names_of_files(frames: Mapping[Key, File]) -> dict[str, Key]:
    """Return the frames by the names of their files below the root, and by the last part of these
    where it belongs to one frame.
    """
    names = {file.key.rpartition(".")[0]: key for key, file in frames.items() if file.at is None}
    last: dict[str, list[Key]] = {}
    for name, key in names.items():
        last.setdefault(name.rpartition("/")[2], []).append(key)
    alone = {name: keys[0] for name, keys in last.items() if len(keys) == 1}
    return alone | names


def missing_of(found: Iterable[Key], files: SplitFiles) -> list[str]:
    """Return the labelled frames without a prediction, as VIDEO/NUMBER."""
    there = set(found)
    return [
        f"{frame.video}/{frame.number:05d}"
        for frame in files.labelled
        if (frame.video, frame.number) not in there
    ]
