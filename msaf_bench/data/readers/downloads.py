"""Files of a data set needed by a job, and their size in bytes.

The size is estimated from published sizes before a download, and exact after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msaf_bench.data.readers.files import File
from msaf_bench.data.readers.neighbours import Key
from msaf_bench.data.readers.patterns import Pattern
from msaf_bench.data.readers.splits import Finder, LabelFile
from msaf_bench.spec.data_sets import Archive, DataSet

Job = Literal["miou", "tc"]


class Need(NamedTuple):
    """Files of one folder, or of its archive, that a job needs."""

    archive: str
    folder: str
    files: int
    #: size in bytes: exact if all files exist, otherwise the archive's size times the share of
    #: files; None if unknown
    size: int | None
    exact: bool
    there: int | None  #: number of needed files that exist; None while their names are unknown
    names: tuple[str, ...]  #: paths below the root, as on disk; empty while unknown
    published: Archive | None = None  #: published data of the whole archive


def find_needs(
    data_set: DataSet, job: Job, splits: Sequence[str], frames: int, spacing: int, root: Path | None
) -> list[Need]:
    """Return the files that a job needs, by folder.

    Their names, and so the number of existing files, follow from the label maps in `root`.

    Args:
        data_set: the description.
        job: `miou` needs labelled frames, their label maps and past frames; `tc` all frames around
            the labelled ones.
        splits: names of the data set's splits.
        frames: frames per clip.
        spacing: source frames between two frames of a clip.
        root: the data set's folder, if it exists.
    """
    offsets = _offsets(data_set, job, frames, spacing)
    if root is not None:
        finder = Finder(data_set, root)
        if any(finder.is_there(form.pattern) for form in finder.layout.labels):
            return _named(finder, job, splits, offsets)
    layout = data_set.layouts[0]
    labelled = sum(dict(data_set.splits)[split].count for split in splits)
    counts: dict[str, int] = {}

    def count(text: str, files: int) -> None:
        folder = _folder(Pattern(text))
        counts[folder] = counts.get(folder, 0) + files

    if job == "miou":
        for text in (*layout.stills[:1], layout.labels[0].pattern):
            count(text, labelled)
    if layout.frames and offsets:
        count(layout.frames[0], labelled * len(offsets))
    return [_unnamed(data_set, folder, files) for folder, files in counts.items()]


def _offsets(data_set: DataSet, job: Job, frames: int, spacing: int) -> list[int]:
    """Return the frames that a job needs beside the stills, relative to the labelled frame.

    Frames before a snippet do not exist. If every frame of a video is a still, or all belong to
    `frames`, the past frames are already included.
    """
    layout = data_set.layouts[0]
    if not data_set.snippet:
        return [] if layout.stills else [0]
    first, last = data_set.snippet
    around = range(first, last + 1)
    if job == "tc":
        return list(around)
    past = [k for k in around if spacing and -frames * spacing < k < 0 and k % spacing == 0]
    return past if layout.stills else [*past, 0]


def _named(finder: Finder, job: Job, splits: Sequence[str], offsets: Sequence[int]) -> list[Need]:
    layout = finder.layout
    existing: dict[str, dict[str, File]] = {}
    for split in splits:
        labels, _ = finder.own_labels(split, partial=True)
        if job == "miou":
            if layout.stills:
                stills = finder.frames(split, stills=True)
                pattern = finder.pattern(layout.stills[0], split)
                _add(existing, pattern, stills, labels, [0])
            pattern = finder.pattern(layout.labels[0].pattern, split)
            files = {key: label.file for key, label in labels.items()}
            _add(existing, pattern, files, labels, [0])
        if layout.frames and offsets:
            others = finder.frames(split, stills=False)
            _add(existing, finder.pattern(layout.frames[0], split), others, labels, offsets)
    return [_need(finder.data_set, folder, files) for folder, files in existing.items()]


def _add(
    needed: dict[str, dict[str, File]],
    pattern: Pattern,
    files: Mapping[Key, File],
    labels: Mapping[Key, LabelFile],
    offsets: Iterable[int],
) -> None:
    """Add the files of frames around labelled ones, by folder and name.

    A missing file gets an empty place.
    """
    offsets = tuple(offsets)
    own = needed.setdefault(_folder(pattern), {})
    for (video, number), label in labels.items():
        for offset in offsets:
            file = files.get((video, number + offset))
            if file is None:
                name = pattern.name(label.match, number + offset)
                own.setdefault(name, File(name, ""))
            else:
                file = file._replace(at=None)  # all frames of a video are one file
                own[file.key] = file


def _need(data_set: DataSet, folder: str, files: Mapping[str, File]) -> Need:
    there = [file for file in files.values() if file.member or file.place]
    exact = len(there) == len(files)
    size = sum(file.size for file in there) if exact else _share(data_set, folder, len(files))
    return Need(
        data_set.archive(folder),
        folder,
        len(files),
        size,
        exact,
        len(there),
        tuple(file.name for file in files.values()),
        _published(data_set, folder),
    )


def _folder(pattern: Pattern) -> str:
    return pattern.folder or pattern.text.partition("/")[0]


def _unnamed(data_set: DataSet, folder: str, count: int) -> Need:
    """Return the need for `count` files with unknown names."""
    size = _share(data_set, folder, count)
    archive = data_set.archive(folder)
    published = _published(data_set, folder)
    return Need(
        archive, folder, count, size, exact=False, there=None, names=(), published=published
    )


def _published(data_set: DataSet, folder: str) -> Archive | None:
    return next((each for each in data_set.archives if each.folder == folder and each.size), None)


def _share(data_set: DataSet, folder: str, count: int) -> int | None:
    """Return the size in bytes of `count` files of an archive, from its published size."""
    published = _published(data_set, folder)
    return published.size * count // published.files if published else None
