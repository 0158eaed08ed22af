"""Predictions in a folder, matched by name with the frames of a data set's split."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.catalog import list_data_sets, read_data_set
from msaf_bench.data import needed_root
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.pairs import LabelPair, LabelPairs, list_label_maps
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.data.readers.neighbours import Key, Labelled, SplitFiles
from msaf_bench.data.readers.splits import find_split
from msaf_bench.errors import (
    DataError,
    IncompleteError,
    UsageError,
    and_more,
    in_any_case,
    one_of,
)
from msaf_bench.spec import STREET


def check_source(
    data: str | None, beside: Mapping[str, object], below: Mapping[str, object]
) -> None:
    """Raise `UsageError` for an option that conflicts with --data, or needs it.

    Options in `beside` duplicate the data set's own values. Options in `below` select a part of the
    data set and need --data.
    """
    given = [
        name for name, value in (below if data is None else beside).items() if value is not None
    ]
    if given and data is None:
        raise UsageError(f"{given[0]} goes with --data")
    if given:
        raise UsageError(f"{given[0]}: --data {data} defines it; leave one of them out")


def check_maps_of_pred(maps: Iterable[str]) -> None:
    """Raise `UsageError` if a `--map` is for the truth; the data set defines its ids."""
    if any(text.strip().startswith("truth:") for text in maps):
        raise UsageError("--map truth: --data defines its ids; map those of pred")


def truth_classes(data: str) -> ClassSet:
    """Return the classes of a data set on disk, found in any case. Raises `UsageError`."""
    name = in_any_case(data, list_data_sets())
    if name == STREET:
        raise UsageError("--data street: its truth is generated; use --truth DIR")
    one_of("data set", name, (*list_data_sets()[1:], *([name] if name.endswith(".toml") else [])))
    return class_set(name)._replace(sure=True)


def files_of_split(
    data: str, root: Path | None, split: str | None, *, partial: bool = False
) -> SplitFiles:
    """Return the files of a split of a data set on disk.

    Args:
        data: name of the data set, or path of the file that describes it.
        root: folder of the data set; by default the folder of that file.
        split: name of the split; by default the scored one.
        partial: accept an incomplete split; `incomplete` then states the difference.

    Raises:
        UsageError: for an unknown name or a missing root.
        DataError: see `find_split`.
    """
    data_set = read_data_set(data)
    known = [name for name, _ in data_set.splits]
    name = one_of(f"split of {data_set.name}", split or data_set.scored, known)
    if root is None and data.endswith(".toml"):
        root = Path(data).resolve().parent
    root = needed_root(data, root)
    if not root.is_dir():
        raise DataError(f"--root {root}: no such folder; give the data set's own folder")
    try:
        return find_split(data_set, name, root)
    except IncompleteError as error:
        if partial:
            return find_split(data_set, name, root, partial=True)._replace(incomplete=error.fact)
        raise DataError(
            f"{error.fact}; copy the data set again, or give --skip-bad to score the rest"
        ) from error


def frames_of_names(names: Sequence[str], files: SplitFiles, folder: Path) -> dict[str, Key]:
    """Return the frame of each prediction, by the prediction's name, in the order of the names.

    A name has no suffix. It is VIDEO/NUMBER with any number of zeros, or the name of the frame's
    own file or of its label map, with or without folders.

    Raises `DataError` for the first name that is not a frame of the split, and for two names of one
    frame.
    """
    own = _names_of_files(files)
    found: dict[str, Key] = {}
    first: dict[Key, str] = {}
    for name in names:
        video, _, number = name.rpartition("/")
        key = (video, int(number)) if number.isdecimal() else None
        if key not in files.frames:
            key = own.get(name)
        if key is None:
            continue
        found[name] = key
        if first.setdefault(key, name) != name:
            raise DataError(
                f"{folder}: {first[key]!r} and {name!r} are the same frame; keep one of them"
            )
    stray = [name for name in names if name not in found]
    if stray:
        video, number = next(iter(files.frames))
        raise DataError(
            f"{folder}: {stray[0]!r}{and_more(len(stray) - 1, len(names))} is not a frame of"
            f" {files.data}, {files.place}; name predictions VIDEO/FRAME, such as"
            f" {video}/{number:06d}"
        )
    return found


def _names_of_files(files: SplitFiles) -> dict[str, Key]:
    """Return the frames by the names of their files below the root.

    The last part of a name is also included if it belongs to only one frame.
    """
    whole = dict(_files_by_name(files))
    last: dict[str, set[Key]] = {}
    for name, key in whole.items():
        last.setdefault(name.rpartition("/")[2], set()).add(key)
    return {name: next(iter(keys)) for name, keys in last.items() if len(keys) == 1} | whole


def _files_by_name(files: SplitFiles) -> Iterator[tuple[str, Key]]:
    for key, file in files.frames.items():
        if file.at is None:
            yield file.key.rpartition(".")[0], key
    for frame in files.labelled:
        yield frame.label.key.rpartition(".")[0], (frame.video, frame.number)


def missing_of(found: Iterable[Key], files: SplitFiles) -> tuple[str, ...]:
    """Return the labelled frames without a prediction, as VIDEO/NUMBER."""
    there = set(found)
    return tuple(
        f"{frame.video}/{frame.number:05d}"
        for frame in files.labelled
        if (frame.video, frame.number) not in there
    )


def pair_with_split(prediction: Path, files: SplitFiles) -> LabelPairs:
    """Pair the predictions of a folder with the label maps of a split.

    Frames between the labelled ones may be predicted too. Raises the errors of `frames_of_names`,
    and `DataError` if no predicted frame is labelled.
    """
    maps = list_label_maps(prediction)
    frames = frames_of_names(list(maps.by_key), files, prediction)
    labelled = {(frame.video, frame.number): frame for frame in files.labelled}
    pairs = tuple(
        _pair(maps.by_key[name], labelled[key], files.classes)
        for name, key in frames.items()
        if key in labelled
    )
    if not pairs:
        raise DataError(
            f"{prediction}: none of its {len(frames)} frames is labelled in {files.place}; predict"
            " the labelled frames"
        )
    return LabelPairs(
        pairs,
        missing_of(frames.values(), files),
        (),
        maps.ignored,
        f"{files.data}, split {files.split}",
        files.incomplete,
    )


def _pair(prediction: Path, frame: Labelled, classes: tuple[str, ...]) -> LabelPair:
    label = frame.label

    def read() -> NDArray[np.uint8]:
        return read_label(label, label.read(), frame.form, classes)

    return LabelPair(f"{frame.video}/{frame.number:05d}", prediction, label.path, read)
