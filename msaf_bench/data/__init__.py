"""Data sets: clips of video frames with label maps.

`clips` defines the interface of every data set. `street` generates videos. `readers` opens data on
disk as described in `datasets/`. `subsets` selects clips or replaces their past frames. `frames`
and `labels` read folders of frames and label maps; `flow` reads and estimates optical flow.
`transforms` makes training batches, and `contents` counts the contents of a split. Modules that
need OpenCV are imported when a split is opened.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from msaf_bench.catalog import data_set_of, list_data_sets
from msaf_bench.data.clips import Clip, Clips
from msaf_bench.data.labels.classes import CAMVID_CLASSES, CAMVID_COLOURS, colourise
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import STREET, Conditions

if TYPE_CHECKING:
    from msaf_bench.data.cache import Cache

__all__ = [
    "CAMVID_CLASSES",
    "CAMVID_COLOURS",
    "Clip",
    "Clips",
    "SplitReader",
    "colourise",
    "content_of",
    "needed_root",
    "open_split",
    "root_of",
]


class SplitReader(Protocol):
    """Callable that opens a split of a data set without a TOML description, for `registry.data`."""

    def __call__(
        self, conditions: Conditions, split: Literal["train", "score"], root: Path | None, /
    ) -> Clips: ...


Readers = Mapping[str, SplitReader]
NO_READERS: Readers = MappingProxyType({})


def needed_root(name: str, root: Path | None) -> Path:
    """Return the folder of a data set on disk. Raises `UsageError` if it is not given."""
    if root is None:
        raise UsageError(f"{name} needs --root DIR, the data set's own folder")
    return root


def root_of(data: str, root: str | Path | None) -> Path | None:
    """Return the data set's folder: `root`, or by default the folder of its TOML file."""
    if root is None and data.endswith(".toml"):
        return Path(data).resolve().parent
    return None if root is None else Path(root)


def open_split(
    conditions: Conditions,
    split: Literal["train", "score", "validate"],
    root: Path | None = None,
    seed: int = 0,
    readers: Readers = NO_READERS,
    cache: "Cache | None" = None,
) -> Clips:
    """Open a split of the data set `conditions.data`.

    Opening a split checks it. For large data sets this covers only the file names, and each file is
    checked when it is read.

    With `conditions.scored` "tune", the scored split is held out of the training split, and so is
    the "validate" split. Both keep the frame spacing and the label size of the training split, and
    "train" returns the remaining clips. With "validate", the part held out for validation is
    scored. `conditions.past` may replace the past frames of every clip.

    Args:
        conditions: the data set, its options, and the form of the clips.
        split: "train", "score", or "validate", a part held out of the training split.
        root: the data set's folder, if it is on disk.
        seed: the trial's seed, for data sets with training videos that depend on it (`street` with
            `data_options.own_videos`).
        readers: the readers of plug-in data sets, by name.
        cache: stores decoded frames of clips that are not held in memory.

    Raises:
        UsageError: if the data set or an option is unknown, or the root is missing.
        DataError: if the content is wrong, or the training split is too small to hold a part out.
    """
    if split == "score" and conditions.scored == "validate":
        split = "validate"
    tuned = conditions.scored == "tune"
    validated = split == "validate" or (split == "train" and conditions.validate_every > 0)
    source = "score" if split == "score" and not tuned else "train"
    clips = _open(conditions, source, root, seed, readers, cache)
    if not tuned and not validated and conditions.past == "real":
        return clips
    from msaf_bench.data.subsets import WithPast, hold_out

    if tuned:
        left, part = hold_out(
            clips, conditions.frames, "tuning; score the other split (scored=score)"
        )
        clips = part if split == "score" else left
    if validated:
        left, part = hold_out(
            clips, conditions.frames, "validation; set validate_every=0, or add training videos"
        )
        clips = part if split == "validate" else left
    return clips if conditions.past == "real" else WithPast(clips, conditions.past, conditions.flow)


def content_of(conditions: Conditions, learn: Clips, test: Clips) -> str:
    """Return the fingerprint of the data shared by all trials of a run."""
    own = dict(conditions.data_options).get("own_videos")
    trained_on = "own videos" if own else learn.fingerprint
    return f"{trained_on}/{test.fingerprint}"


def _open(
    conditions: Conditions,
    split: Literal["train", "score"],
    root: Path | None,
    seed: int,
    readers: Readers,
    cache: "Cache | None",
) -> Clips:
    if conditions.data == STREET:
        from msaf_bench.data.street import Street

        return Street(conditions, split, seed)
    if conditions.data in readers and not conditions.described:
        return readers[conditions.data](conditions, split, root)
    if not conditions.described:
        one_of("data set", conditions.data, {*list_data_sets(), *readers})
    from msaf_bench.data.readers.described import open_described

    return open_described(
        data_set_of(conditions), conditions, split, needed_root(conditions.data, root), cache
    )
