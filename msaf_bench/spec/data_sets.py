"""Data sets on disk, as described in `datasets/`: patterns of names, classes, splits.

No torch here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from msaf_bench.errors import one_of
from msaf_bench.spec.values import VOID, Few, Flag, Side, Spec, ordered_pairs

Colour = tuple[
    Annotated[int, Field(ge=0, le=VOID)],
    Annotated[int, Field(ge=0, le=VOID)],
    Annotated[int, Field(ge=0, le=VOID)],
]  #: red, green, blue
FileId = Annotated[int, Field(ge=0, le=VOID)]  #: id in a label map
VOID_NAME = "void"  #: reserved name, not allowed for a class
#: keys of a layout; they are at the top level in a data set with one layout
_OF_LAYOUT = ("stills", "frames", "labels", "select")
_FIELD = re.compile(r"\{(\w*)\}?|\[([^\]]*)\]?")
FIELDS = ("split", "video", "frame")  #: fields of a pattern
PICTURE_FILES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
VIDEO_FILES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")


def _as_tuple(value: object) -> object:
    """Return a single value as a tuple of one; other values unchanged."""
    if isinstance(value, str | int | Mapping):
        return (cast("object", value),)
    return value


def _checked(pattern: str) -> str:
    """Return a pattern after checking its fields. Raises `ValueError` for an invalid one."""
    for field in _FIELD.finditer(pattern):
        text = field.group()
        if text[0] == "[" and not text.endswith("]"):
            raise ValueError(f"{pattern!r}: a bracket is not closed; [x] is an optional part")
        if text[0] == "{" and (field[1] not in FIELDS or not text.endswith("}")):
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ValueError(f"{pattern!r}: {text} is not a field; write {known} or *")
    _below(pattern)
    if "{video}" not in pattern:
        raise ValueError(f"{pattern!r}: needs {{video}} in place of the video's name")
    if "." not in pattern.rpartition("/")[2]:
        raise ValueError(f"{pattern!r}: needs the suffix of the files, such as .png")
    return pattern


def _below(path: str) -> str:
    """Return a path below the data set's folder. Raises `ValueError` if it leads elsewhere."""
    if path.startswith("/") or ".." in path.split("/") or "\\" in path:
        raise ValueError(f"{path!r}: write a path below the data set's folder, with /")
    return path


Below = Annotated[str, AfterValidator(_below)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class LabelFormat(Spec):
    """Files of label maps, and the meaning of their ids or colours.

    In TOML: a pattern, or a table. Without `ids` and `colours`, the ids of the classes start at
    `first`, in order.
    """

    pattern: str
    first: FileId = 0  #: id of the first class
    #: class -> its ids in the file
    ids: Annotated[
        tuple[tuple[str, Annotated[tuple[FileId, ...], BeforeValidator(_as_tuple)]], ...],
        BeforeValidator(ordered_pairs),
    ] = ()
    #: class, or void -> its colours in the file
    colours: Annotated[
        tuple[tuple[str, tuple[Colour, ...]], ...], BeforeValidator(ordered_pairs)
    ] = ()
    #: void ids in the file
    ignore: Annotated[tuple[FileId, ...], BeforeValidator(_as_tuple)] = (VOID,)
    #: channel of a colour picture that holds the ids; empty: the label map has one channel
    channel: Literal["", "red"] = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"pattern": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        _checked(self.pattern)
        if _has_video_suffix(self.pattern):
            raise ValueError(f"{self.pattern!r}: label maps in a video are not exact; write PNGs")
        if not self.pattern.lower().endswith(".png"):
            raise ValueError(f"{self.pattern!r}: label maps are read from PNGs; convert them")
        if self.colours and (self.ids or self.channel or self.first):
            raise ValueError(
                f"{self.pattern!r}: colours and ids exclude each other; keep one of them"
            )
        if self.ids and self.first:
            raise ValueError(f"{self.pattern!r}: ids already define every class; leave out first")
        owner: dict[int, str] = {}
        for name, ids in self.ids:
            for each in ids:
                if owner.setdefault(each, name) != name:
                    raise ValueError(f"id {each} is {owner[each]!r} and {name!r}; keep one of them")
        if both := sorted(owner.keys() & set(self.ignore)):
            raise ValueError(f"id {both[0]} is {owner[both[0]]!r} and ignored; keep one of them")
        painted: dict[Colour, str] = {}
        for name, colours in self.colours:
            for colour in colours:
                if painted.setdefault(colour, name) != name:
                    raise ValueError(
                        f"colour {list(colour)} is {painted[colour]!r} and {name!r}; keep one"
                    )
        return self

    def ids_of(self, classes: Sequence[str]) -> dict[int, int]:
        """Return id in the file -> class 0..K-1, without ignored ids."""
        if self.ids:
            return {
                each: number
                for number, name in enumerate(classes)
                for each in dict(self.ids).get(name, ())
            }
        return {self.first + number: number for number in range(len(classes))}


class Selection(Spec):
    """Videos or frames of a split.

    In TOML: a share of the videos, a glob, or the name of a list file that ends in .txt. An empty
    selection means everything that no other split selects.
    """

    videos: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()  #: globs of their names
    list_file: Below = ""  #: file below the root: one video, VIDEO/FRAME or frame path per line
    #: share of the videos in natural order, one split after the other
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0
    #: glob of video names -> first and last frame
    ranges: Annotated[tuple[tuple[str, tuple[int, int]], ...], BeforeValidator(ordered_pairs)] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"share": value}
        if isinstance(value, str):
            return {"list_file": value} if value.endswith(".txt") else {"videos": value}
        if isinstance(value, list):
            return {"videos": cast("object", value)}
        return cast("object", value)

    def __str__(self) -> str:
        if self.videos:
            return f"videos {', '.join(self.videos):.60}"
        if self.list_file:
            return f"the list {self.list_file}"
        if self.share:
            return f"{self.share:g} of the videos"
        ranges = (f"{video} {first} to {last}" for video, (first, last) in self.ranges)
        return ", ".join(ranges) or "everything that no other split selects"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("videos", "list_file", "share", "ranges") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude each other; keep one of them")
        return self


class Split(Spec):
    """Split of a data set. In TOML: a table, or a selection in its short form."""

    select: Selection = Selection()
    folder: str = ""  #: replaces {split}; empty: the name of the split
    count: Annotated[int, Field(ge=0)] = 0  #: labelled frames of the official split; 0: unknown
    #: source frames between labelled neighbours; 0: `spacing` of the data set
    step: Few = 0

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            _check_chosen(value)
            return {"select": value}
        given = dict(cast("Mapping[str, object]", value))
        chosen = {name: given.pop(name) for name in Selection.model_fields if name in given}
        for each in chosen.values():
            _check_chosen(each)
        return {**given, "select": chosen} if chosen else given

    @classmethod
    def toml_keys(cls) -> tuple[str, ...]:
        """Return the keys in TOML, including those of the selection."""
        return (*Selection.model_fields, *(name for name in cls.model_fields if name != "select"))


def _check_chosen(value: object) -> None:
    """Raise `ValueError` for an empty value, which would select all remaining videos."""
    if not value and not isinstance(value, Mapping):
        raise ValueError(
            "needs a share, videos or a list, or {} for all that no other split selects"
        )


class Layout(Spec):
    """Locations of a data set's files.

    A pattern is a path below the data set's folder. It contains the fields `{split}`, `{video}` and
    `{frame}` (a number), `*` for any other text between two slashes, and `[x]` for optional text. A
    picture without `{frame}` is a video of one frame. The frames of a video file are numbered from
    0. If two files are the same frame, the first pattern takes precedence.
    """

    stills: Patterns = ()  #: frames that are all labelled
    frames: Patterns = ()  #: frames that may be labelled
    labels: Annotated[tuple[LabelFormat, ...], BeforeValidator(_as_tuple)] = Field(min_length=1)
    #: split -> its selection in this layout, in place of its general selection
    select: Annotated[tuple[tuple[str, Selection], ...], BeforeValidator(ordered_pairs)] = ()

    @property
    def pictures(self) -> tuple[str, ...]:
        """Patterns of stills and of other frames."""
        return (*self.stills, *self.frames)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of pictures and of label maps."""
        return (*self.pictures, *(form.pattern for form in self.labels))

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if not (self.stills or self.frames):
            raise ValueError("stills or frames: give a pattern of the pictures or the videos")
        for pattern in self.pictures:
            _checked(pattern)
            if not pattern.lower().endswith((*PICTURE_FILES, *VIDEO_FILES)):
                known = ", ".join((*PICTURE_FILES, *VIDEO_FILES))
                raise ValueError(f"{pattern!r}: needs one of the suffixes {known}")
            if _has_video_suffix(pattern) and "{frame}" in pattern:
                raise ValueError(
                    f"{pattern!r}: a video file contains its frames; leave out {{frame}}"
                )
        if any(map(_has_video_suffix, self.stills)):
            raise ValueError("stills: a video file belongs to frames")
        return self


class Archive(Spec):
    """Zip archive of a data set."""

    name: Below
    folder: Below  #: folder that it replaces
    files: int = 0
    size: int = 0  #: published size in bytes
    source: str = ""  #: source of these numbers


class DataSet(Spec):
    """Data set on disk."""

    name: str
    title: str = ""
    source: str = ""
    licence: str = ""
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=VOID - 1)]
    colours: tuple[Colour, ...] = ()  #: class colours for pictures; empty: generated
    layouts: Annotated[tuple[Layout, ...], Field(min_length=1)]
    splits: Annotated[
        tuple[tuple[str, Split], ...], BeforeValidator(ordered_pairs), Field(min_length=2)
    ]
    train: str = "train"  #: name of the training split
    scored: str = "val"  #: name of the scored split
    spacing: Few = Field(1, ge=1)  #: source frames between two frames of a clip
    rate: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0  #: frames per second; 0: unknown
    size: tuple[Side, Side] | None = None  #: H, W of its frames, or of most of them
    #: first and last existing frame, relative to a labelled one; None: whole videos
    snippet: tuple[int, int] | None = None
    #: globs of other files in the folders of frames and label maps
    ignore_files: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    in_memory: Flag = False  #: read every file when a split is opened
    archives: tuple[Archive, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        given = dict(cast("Mapping[str, object]", value))
        layout = {key: given.pop(key) for key in _OF_LAYOUT if key in given}
        if layout and "layouts" in given:
            raise ValueError(f"{next(iter(layout))} and layouts: keep one of them")
        return given if "layouts" in given else {**given, "layouts": [layout]}

    @classmethod
    def toml_keys(cls) -> tuple[str, ...]:
        """Return the keys in TOML, including those of a layout."""
        return (*_OF_LAYOUT, *cls.model_fields)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        twice = [name for i, name in enumerate(self.classes) if name in self.classes[:i]]
        if twice or VOID_NAME in self.classes:
            raise ValueError(f"classes: {(twice or [VOID_NAME])[0]!r} is listed twice or is void")
        for name in self.classes:
            if not name.isprintable() or name != name.strip() or not name:
                raise ValueError(
                    f"classes: {name!r}: write the name on one line, without blanks around it"
                )
        if self.colours and len(self.colours) != len(self.classes):
            raise ValueError(
                f"colours: {len(self.colours)} colours for {len(self.classes)} classes; give one"
                " for each, or none"
            )
        splits = dict(self.splits)
        for role in (self.train, self.scored):
            one_of("split", role, splits)
        if self.train == self.scored:
            raise ValueError(f"scored: {self.scored!r} is trained on; name another split")
        for layout in self.layouts:
            for split, _ in layout.select:
                one_of("split", split, splits)
            for form in layout.labels:
                self._check_labels(form)
        self._check_shares()
        return self

    def _check_labels(self, form: LabelFormat) -> None:
        for name, _ in form.ids:
            one_of("class", name, self.classes)
        for name, _ in form.colours:
            one_of("class", name, (*self.classes, VOID_NAME))
        for what, given in (("ids", form.ids), ("colours", form.colours)):
            if given and (left := [name for name in self.classes if name not in dict(given)]):
                raise ValueError(f"labels.{what}: class {left[0]!r} has none; name every class")
        last = form.first + len(self.classes) - 1
        if not (form.ids or form.colours):
            if last > VOID:
                raise ValueError(f"labels.first: the last class would have id {last}")
            if taken := [i for i in form.ignore if form.first <= i <= last]:
                raise ValueError(
                    f"labels.ignore: id {taken[0]} is class"
                    f" {self.classes[taken[0] - form.first]!r}; leave it out, or give ids"
                )

    def _check_shares(self) -> None:
        for layout in self.layouts:
            chosen = [self.selection(layout, name) for name, _ in self.splits]
            if sum(each.share for each in chosen) > 1 + 1e-9:
                raise ValueError("splits: the shares of the videos are more than 1 together")

    @property
    def summary(self) -> str:
        """Classes, and locations of frames and label maps, in one line for readers."""
        layout = self.layouts[0]
        return f"{len(self.classes)} classes, {layout.pictures[0]} with {layout.labels[0].pattern}"

    def folder_of(self, split: str) -> str:
        """Return the replacement of {split} in patterns."""
        return dict(self.splits)[split].folder or split

    def selection(self, layout: Layout, split: str) -> Selection:
        """Return the selection of a split in a layout."""
        return dict(layout.select).get(split) or dict(self.splits)[split].select

    def step(self, split: str) -> int:
        """Return the number of source frames between labelled neighbours of a split."""
        return dict(self.splits)[split].step or self.spacing

    def archive(self, folder: str) -> str:
        """Return the name of the zip that may replace a folder."""
        return next((each.name for each in self.archives if each.folder == folder), f"{folder}.zip")


def _has_video_suffix(pattern: str) -> bool:
    return pattern.lower().endswith(VIDEO_FILES)
