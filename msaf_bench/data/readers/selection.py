"""Assignment of labelled frames to splits: by globs, list files, shares of the videos, ranges."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path

from msaf_bench.data.readers.neighbours import Key
from msaf_bench.errors import DataError, IncompleteError, and_more
from msaf_bench.folders import natural
from msaf_bench.inputs import regular
from msaf_bench.spec.data_sets import Selection

LONGEST = 64 << 20  #: size limit of a list file in bytes


class Chooser:
    """Selections of all splits, applied to labelled frames.

    Shares count the videos with a label map, in natural order, one split after the other. A split
    without a selection gets the frames that no other split selects.

    Args:
        selections: by split.
        root: the data set's folder, which contains the list files.
        labels: names of the label maps below the root, by frame.
        partial: accept lists with names that do not exist.

    Raises:
        DataError: if a share amounts to no video.
    """

    def __init__(
        self,
        selections: Mapping[str, Selection],
        root: Path,
        labels: Mapping[Key, str],
        *,
        partial: bool = False,
    ) -> None:
        self._selections, self._root, self._labels = selections, root, labels
        self._partial = partial
        self._silent = {split for split, each in selections.items() if each == Selection()}
        self._shared = _videos_by_share(selections, {video for video, _ in labels})
        self._listed: dict[str, frozenset[str]] = {}

    def has(self, split: str, key: Key) -> bool:
        """Return whether a frame belongs to a split.

        Raises `DataError` if a list is missing or does not fit.
        """
        if split not in self._silent:
            return self._selects(split, key)
        others = (other for other in self._selections if other not in self._silent)
        return not any(self._selects(other, key) for other in others)

    def _selects(self, split: str, key: Key) -> bool:
        selection, (video, number) = self._selections[split], key
        if selection.list_file:
            names = self._names(split, selection.list_file)
            return video in names or f"{video}/{number}" in names
        if selection.share:
            return self._shared.get(video) == split
        if selection.ranges:
            return any(
                _fits(video, glob) and first <= number <= last
                for glob, (first, last) in selection.ranges
            )
        return any(_fits(video, glob) for glob in selection.videos)

    def _names(self, split: str, list_file: str) -> frozenset[str]:
        if split not in self._listed:
            self._listed[split] = _read_list(
                self._root / list_file, split, self._labels, partial=self._partial
            )
        return self._listed[split]


def _fits(video: str, glob: str) -> bool:
    """Return whether a glob selects a video; a name with brackets selects itself too."""
    return video == glob or fnmatchcase(video, glob)


def _videos_by_share(selections: Mapping[str, Selection], videos: Iterable[str]) -> dict[str, str]:
    """Return the split of each video. Raises `DataError` if a split would have no video."""
    shares = {split: each.share for split, each in selections.items() if each.share}
    ordered = sorted(videos, key=natural)
    ends = [round(end * len(ordered)) for end in accumulate(shares.values())]
    by_video: dict[str, str] = {}
    for split, start, end in zip(shares, [0, *ends], ends, strict=False):
        if start == end:
            raise DataError(
                f"split {split}: a share of {shares[split]:g} of {len(ordered)} videos is empty;"
                " give it a larger share, name its videos, or cut a video by ranges"
            )
        by_video |= dict.fromkeys(ordered[start:end], split)
    return by_video


def _read_list(
    path: Path, split: str, labels: Mapping[Key, str], *, partial: bool
) -> frozenset[str]:
    """Return the videos, or frames as VIDEO/NUMBER, named in a list file.

    Raises `DataError` for any other name, unless `partial`.
    """
    videos = {video for video, _ in labels}
    by_name = {_stem(name): f"{video}/{number}" for (video, number), name in labels.items()}

    def find(name: str) -> str | None:
        name = name.replace("\\", "/").strip("/")
        stem = _stem(name)
        folder, _, last = stem.rpartition("/")
        if name in videos or stem in videos:
            return name if name in videos else stem
        if last.isdecimal() and (folder, int(last)) in labels:
            return f"{folder}/{int(last)}"
        return by_name.get(stem)

    chosen: set[str] = set()
    unknown: list[str] = []
    lines = _lines(path, split)
    for line in lines:
        word = line.split()[0]
        name = find(line) or find(word)  # a name may contain blanks, or be followed by other words
        if name:
            chosen.add(name)
        else:
            unknown.append(word)
    if unknown and not partial:
        raise IncompleteError(
            f"{path}: {unknown[0]!r} is not a labelled video or frame{_more(unknown, lines)}",
            "copy the data set again, or correct the list",
        )
    return frozenset(chosen)


def _lines(path: Path, split: str) -> list[str]:
    """Return the non-blank lines of a list file, stripped."""
    try:
        if regular(path).stat().st_size > LONGEST:
            raise DataError(f"{path}: {path.stat().st_size} bytes are too many for a list")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path}: the list of split {split} cannot be read ({error.strerror}); copy it there"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path}: no names in it; write one video or VIDEO/FRAME per line")
    return lines


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def _more(some: Sequence[str], whole: Sequence[str]) -> str:
    return and_more(len(some) - 1, len(whole))
