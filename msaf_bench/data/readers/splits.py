"""Files of a split, found by the data set's patterns and chosen by its selection."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from msaf_bench.data.frames.video import probe
from msaf_bench.data.readers.files import File, is_there, list_files
from msaf_bench.data.readers.neighbours import Key, Labelled, SplitFiles
from msaf_bench.data.readers.patterns import Match, Pattern, for_split
from msaf_bench.data.readers.selection import Chooser
from msaf_bench.errors import DataError, IncompleteError, and_more
from msaf_bench.spec.data_sets import DataSet, LabelFormat, Layout

Matched = dict[Key, tuple[File, Match]]


class LabelFile(NamedTuple):
    """Label map with the format of its file and the parts of its name."""

    file: File
    form: LabelFormat
    match: Match


def find_split(data_set: DataSet, split: str, root: Path, *, partial: bool = False) -> SplitFiles:
    """Return the files of a split.

    Args:
        data_set: the description.
        split: name of one of the data set's splits.
        root: the data set's folder.
        partial: accept another number of labelled frames than in the official split, and lists with
            names that do not exist.

    Raises:
        DataError: if no file matches a pattern, two files are the same frame, a label map lacks its
            frame, a still lacks its label map, a name matches no pattern, a frame also belongs to
            another split, a list or selection is empty, or the number of labelled frames is wrong.
    """
    finder = Finder(data_set, root)
    labels, chooser = finder.own_labels(split, partial=partial)
    stills, others = (finder.frames(split, stills=stills) for stills in (True, False))
    if not (stills or others):
        raise DataError(
            f"{root}: no frame fits {finder.said(finder.layout.pictures, split)}; correct the"
            " pattern, or copy the data set there"
        )
    own_stills = {key: file for key, file in stills.items() if chooser.has(split, key)}
    pictures = finder.place(finder.layout.pictures[0], split)
    places = dict.fromkeys(finder.place(text, split) for text in finder.layout.pictures)
    label_place = finder.place(finder.layout.labels[0].pattern, split)
    files = {key: label.file for key, label in labels.items()}
    _check_partners(files, others.keys() | own_stills.keys(), "frame", " and ".join(places))
    _check_partners(own_stills, labels.keys(), "label map", label_place)
    finder.check_other_splits(split, files, chooser)
    place = pictures if "{split}" in finder.layout.labels[0].pattern else f"{pictures}, {split}"
    count = dict(data_set.splits)[split].count
    if count and len(labels) != count and not partial:
        raise IncompleteError(
            f"{place}: {len(labels)} labelled frames, the official split has {count}",
            "copy the data set again, or --set data_options.allow_partial=true",
        )
    frames = others | own_stills
    return SplitFiles(
        data=data_set.name,
        place=place,
        classes=data_set.classes,
        colours=data_set.colours,
        labelled=tuple(
            Labelled(*key, frames[key], label.file, label.form)
            for key, label in sorted(labels.items())
        ),
        frames=frames,
        step=data_set.step(split),
        split=split,
    )


class Finder:
    """Files of a data set in a folder; each folder is listed once.

    Raises `DataError` if the folder matches none of the layouts of the data set.
    """

    def __init__(self, data_set: DataSet, root: Path) -> None:
        self.data_set, self.root = data_set, root
        self._matched: dict[Pattern, Matched] = {}
        self.layout = self._find_layout()

    def _find_layout(self) -> Layout:
        layouts = self.data_set.layouts
        if len(layouts) == 1:
            return layouts[0]
        for layout in layouts:
            labels = [form.pattern for form in layout.labels]
            if any(map(self.is_there, layout.pictures)) and any(map(self.is_there, labels)):
                return layout
        train = self.data_set.train
        expected = " or ".join(
            f"{self.said(each.pictures[:1], train)} with"
            f" {self.said([each.labels[0].pattern], train)}"
            for each in layouts
        )
        raise DataError(
            f"{self.root}: no files of {self.data_set.name} found; --root must hold {expected}"
        )

    def is_there(self, text: str) -> bool:
        """Return whether the folder of a pattern, or its zip, exists for any split."""
        patterns = [self.pattern(text, split) for split, _ in self.data_set.splits]
        return any(
            not each.folder or is_there(self.root, each.folder, self.data_set.archive(each.folder))
            for each in patterns
        )

    def pattern(self, text: str, split: str) -> Pattern:
        """Return a pattern of a split."""
        return for_split(text, self.data_set.folder_of(split))

    def place(self, text: str, split: str) -> str:
        """Return the folder of a pattern, for messages."""
        pattern = self.pattern(text, split)
        return str(self.root / pattern.folder / pattern.below)

    def said(self, texts: Iterable[str], split: str) -> str:
        """Return patterns as text, for messages."""
        return " or ".join(self.pattern(text, split).text for text in texts)

    def labels(self, split: str) -> dict[Key, LabelFile]:
        """Return the label maps that match the patterns of a split, before its selection.

        If a frame has several, the first pattern takes precedence. Raises `DataError` if there are
        none, or if two are the same frame.
        """
        texts = [form.pattern for form in self.layout.labels]
        found: dict[Key, LabelFile] = {}
        for form in self.layout.labels:
            for key, (file, match) in self.matched(form.pattern, split).items():
                found.setdefault(key, LabelFile(file, form, match))
        if not found:
            raise DataError(
                f"{self.place(texts[0], split)}: no label map fits"
                f" {self.said(texts, split)}; correct the pattern, or copy the data set there"
            )
        return found

    def own_labels(
        self, split: str, *, partial: bool = False
    ) -> tuple[dict[Key, LabelFile], Chooser]:
        """Return the label maps of a split, and the chooser that assigns frames to splits.

        Raises `DataError` if the split selects none.
        """
        labels = self.labels(split)
        selections = {
            name: self.data_set.selection(self.layout, name) for name, _ in self.data_set.splits
        }
        names = {key: label.file.key for key, label in labels.items()}
        chooser = Chooser(selections, self.root, names, partial=partial)
        own = {key: label for key, label in labels.items() if chooser.has(split, key)}
        if not own:
            raise DataError(
                f"{self.place(self.layout.labels[0].pattern, split)}: no label map is of"
                f" split {split} ({selections[split]}); correct the data set's file"
            )
        return own, chooser

    def frames(self, split: str, *, stills: bool) -> dict[Key, File]:
        """Return the stills of a split, or its other frames.

        If several files are the same frame, the first pattern takes precedence. Patterns with a
        missing folder are passed over if the folder of another pattern exists.
        """
        texts = self.layout.stills if stills else self.layout.frames
        here = [text for text in self.layout.pictures if self.is_there(text)]
        frames: dict[Key, File] = {}
        for text in texts:
            if here and text not in here:
                continue
            of_videos = self.pattern(text, split).of_videos
            matched = self.matched(text, split)
            for (video, number), (file, _) in matched.items():
                if of_videos:
                    for at in range(_length(file)):
                        frames.setdefault((video, at), file._replace(at=at))
                else:
                    frames.setdefault((video, number), file)
        return frames

    def matched(self, text: str, split: str) -> Matched:
        """Return the files that match a pattern, by frame.

        Raises `DataError` if two files are the same frame. Also raises it if a file in a folder of
        this pattern matches none of the layout's patterns.
        """
        pattern = self.pattern(text, split)
        if pattern in self._matched:
            return self._matched[pattern]
        others = [self.pattern(each, split) for each in self.layout.patterns]
        matched: Matched = {}
        folder = pattern.folder
        archive = self.data_set.archive(folder)
        listed = list_files(self.root, folder, archive, pattern.below, pattern.suffix)
        for file in listed.values():
            match = pattern.match(file.key)
            if match is None:
                self._check_known(pattern, others, file)
                continue
            key = match.video, match.number
            if key in matched:
                raise DataError(f"{file} and {matched[key][0]} are the same frame; remove one")
            matched[key] = file, match
        self._matched[pattern] = matched
        return matched

    def _check_known(self, pattern: Pattern, others: Sequence[Pattern], file: File) -> None:
        known = (
            not pattern.is_beside(file.key)
            or any(each.match(file.key) for each in others)
            or any(fnmatchcase(file.key, glob) for glob in self.data_set.ignore_files)
        )
        if not known:
            raise DataError(
                f"{file}: does not match {pattern.text}; rename it, or list it in ignore_files of"
                f" {self.data_set.name}"
            )

    def check_other_splits(self, split: str, own: Mapping[Key, File], chooser: Chooser) -> None:
        """Raise `DataError` if a labelled frame of a split also belongs to another split."""
        for other, _ in self.data_set.splits:
            if other == split:
                continue
            try:
                labels = self.labels(other)
                shared = sorted(
                    key for key in own.keys() & labels.keys() if chooser.has(other, key)
                )
            except DataError:  # a missing split is reported when it is opened
                continue
            if shared:
                raise DataError(
                    f"{own[shared[0]]} is in {other} too{and_more(len(shared) - 1, len(own))};"
                    " copy the data set again, or correct the splits"
                )


def _length(video: File) -> int:
    """Return the number of frames of a video file."""
    if video.member:
        raise DataError(f"{video}: videos inside a zip cannot be read; unpack it")
    return probe(video.path).frames


def _check_partners(
    files: Mapping[Key, File], partners: Iterable[Key], what: str, where: str
) -> None:
    missing = sorted(files.keys() - set(partners))
    if missing:
        raise DataError(
            f"{files[missing[0]]} has no {what} in"
            f" {where}{and_more(len(missing) - 1, len(files))}; copy the data set again, or correct"
            " the patterns"
        )
