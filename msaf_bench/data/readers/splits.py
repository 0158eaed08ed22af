"""The files of a split, found by the patterns of the data set and chosen by its selection."""

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
    """A label map, with the form of its file and what its name says."""

    file: File
    form: LabelFormat
    match: Match


def find_split(data_set: DataSet, split: str, root: Path, *, partial: bool = False) -> SplitFiles:
    """Return the files of a split.

    Args:
        data_set: the description.
        split: the name of one of its splits.
        root: the data set's folder.
        partial: accept another number of labelled frames than the official split has, and lists
            that name more than there is.

    Raises:
        DataError: for a pattern that nothing fits, two files of one frame, a label map without its
            frame, a still without its label map, a name that fits no pattern, a frame that another
            split has too, a list or a selection that chooses nothing, and another count.
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
    """The files of a data set in a folder; each folder is listed once.

    Raises `DataError` for a folder that has none of the layouts of the data set.
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
            f"{self.root}: nothing of {self.data_set.name} is there; --root must hold {expected}"
        )

    def is_there(self, text: str) -> bool:
        """Return whether the folder of a pattern, with any split, or the zip in its place is
        there.
        """
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
        """Return patterns for messages."""
        return " or ".join(self.pattern(text, split).text for text in texts)

    def labels(self, split: str) -> dict[Key, LabelFile]:
        """Return the label maps that fit the patterns of a split, whatever it selects of them; of
        a frame that has several the first pattern's.

        Raises `DataError` if there are none, and for two of one frame.
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
        """Return the label maps of a split, and what tells which split a frame belongs to. Raises
        `DataError` if the split selects none.
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
                f"{self.place(self.layout.labels[0].pattern, split)}: no label map there is of"
                f" split {split}, which selects {selections[split]}; correct the data set's file"
            )
        return own, chooser

    def frames(self, split: str, *, stills: bool) -> dict[Key, File]:
        """Return the stills of a split, or its other frames, the first pattern's file of each.
        Patterns whose folder is not there are passed over as long as another one's is.
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
        """Return the files that fit a pattern, by frame.

        Raises `DataError` for two files of one frame, and for a name that lies where the files of
        this pattern lie and fits none of the layout.
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
                f"{file}: not a name by {pattern.text}; rename it, or name it in ignore_files of"
                f" {self.data_set.name}"
            )

    def check_other_splits(self, split: str, own: Mapping[Key, File], chooser: Chooser) -> None:
        """Raise `DataError` for a labelled frame of a split that another split has too."""
        for other, _ in self.data_set.splits:
            if other == split:
                continue
            try:
                labels = self.labels(other)
                shared = sorted(
                    key for key in own.keys() & labels.keys() if chooser.has(other, key)
                )
            except DataError:  # a split that is not there is missed when it is opened
                continue
            if shared:
                raise DataError(
                    f"{own[shared[0]]} is in {other} too{and_more(len(shared) - 1, len(own))};"
                    " copy the data set again, or correct the splits"
                )


def _length(video: File) -> int:
    """Return the number of frames of a video file."""
    if video.member:
        raise DataError(f"{video}: a video inside a zip is not read; unpack it")
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
