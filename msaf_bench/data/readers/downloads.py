"""The files that a job needs of a data set, and their bytes: before a download by published sizes,
after it exactly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msaf_bench.data.readers import cityscapes
from msaf_bench.data.readers.camvid import original, segnet
from msaf_bench.data.readers.camvid.splits import COUNTS
from msaf_bench.data.readers.files import is_there, list_files
from msaf_bench.errors import UsageError, one_of

Job = Literal["miou", "tc"]
Part = Literal["train", "val"]


class Published(NamedTuple):
    """The size of an archive, as its owners state it."""

    files: int
    size: int  #: bytes, to two or three digits
    source: str


_CITYSCAPES = "cityscapes-dataset.com, download page, rounded"
_CAMVID = "MathWorks' example of SegNet on CamVid, rounded"

PUBLISHED = {
    "leftImg8bit_trainvaltest.zip": Published(5_000, 11 * 10**9, _CITYSCAPES),
    # 4 files for each of 5,000 frames
    "gtFine_trainvaltest.zip": Published(20_000, 241 * 10**6, _CITYSCAPES),
    # 30 frames for each
    "leftImg8bit_sequence_trainvaltest.zip": Published(150_000, 324 * 10**9, _CITYSCAPES),
    "701_StillsRaw_full.zip": Published(701, 557 * 10**6, _CAMVID),
    "LabeledApproved_full.zip": Published(701, 16 * 10**6, _CAMVID),
}

SNIPPET = range(-19, 11)  #: the frames of a Cityscapes snippet, counted from the labelled one


class Need(NamedTuple):
    """The files of one archive that a job needs."""

    archive: str
    folder: str
    files: int
    #: bytes: exact if all files exist, otherwise the archive's share by number of files; None if
    #: unknown
    size: int | None
    exact: bool
    there: int | None  #: needed files that exist; None while their names are unknown
    names: tuple[str, ...]  #: below the root, as they are on disk; empty while unknown


def find_needs(
    data: str, job: Job, parts: Sequence[Part], frames: int, spacing: int, root: Path | None
) -> list[Need]:
    """Return the files that a job needs, by archive.

    Their names, and so how many exist, follow from the label maps in `root`.

    Args:
        data: the data set.
        job: `miou` needs labelled frames, their label maps and past frames; `tc` all frames of the
            snippets.
        parts: the splits.
        frames: frames per clip.
        spacing: source frames between two frames of a clip.
        root: the data set's folder, if there is one.

    Raises:
        UsageError: for a data set that needs no file, or is unknown.
    """
    one_of("data set", data, ("street", "camvid", "cityscapes"))
    if data == "street":
        raise UsageError(
            "data plan: the street is made here and needs no file; use --data camvid or cityscapes"
        )
    if data == "camvid":
        return _camvid(parts, root)
    return _cityscapes(job, parts, frames, spacing, root)


def _cityscapes(
    job: Job, parts: Sequence[Part], frames: int, spacing: int, root: Path | None
) -> list[Need]:
    offsets = _offsets(job, frames, spacing)
    archive = cityscapes.archive(cityscapes.LABELS)
    if root is None or not is_there(root, cityscapes.LABELS, archive):
        labelled = sum(cityscapes.COUNTS[part] for part in parts)
        return [
            _unnamed(folder, cityscapes.archive(folder), labelled * len(wanted))
            for folder, wanted in offsets.items()
            if wanted
        ]
    names: dict[str, list[str]] = {folder: [] for folder in offsets}
    for part in parts:
        for (video, number), label in cityscapes.labelled_frames(root, part).items():
            for folder, wanted in offsets.items():
                if folder == cityscapes.LABELS:
                    names[folder] += [label.key for _ in wanted]
                else:
                    names[folder] += [_frame(folder, part, video, number + k) for k in wanted]
    return [
        _named(folder, cityscapes.archive(folder), names[folder], root)
        for folder, wanted in offsets.items()
        if wanted
    ]


def _offsets(job: Job, frames: int, spacing: int) -> dict[str, list[int]]:
    """Return the frames that a job needs of each folder, counted from the labelled frame."""
    if job == "tc":
        return {cityscapes.SEQUENCES: list(SNIPPET)}
    past: list[int] = []
    if spacing:  # frames before the snippet do not exist
        past = [k for k in SNIPPET if -frames * spacing < k < 0 and k % spacing == 0]
    return {cityscapes.STILLS: [0], cityscapes.LABELS: [0], cityscapes.SEQUENCES: past}


def _frame(folder: str, part: str, video: str, number: int) -> str:
    city = video.rpartition("_")[0]
    return f"{folder}/{part}/{city}/{video}_{number:06d}_leftImg8bit.png"


def _camvid(parts: Sequence[Part], root: Path | None) -> list[Need]:
    """The stills are each other's past, so more frames need no more files."""
    if root and segnet.is_here(root) and not original.is_here(root):
        return [
            _named(folder, f"{folder}.zip", segnet.names_of(root, folder), root)
            for part in parts
            for folder in (part, f"{part}annot")
        ]
    needs: list[Need] = []
    for folder in (original.STILLS, original.LABELS):
        archive = f"{folder}.zip"
        if root and is_there(root, folder, archive):
            needs.append(_named(folder, archive, original.names_of(root, folder, parts), root))
        else:
            needs.append(_unnamed(folder, archive, sum(COUNTS[part] for part in parts)))
    return needs


def _unnamed(folder: str, archive: str, count: int) -> Need:
    """Return the need of so many files whose names are unknown."""
    size = _share(archive, count)
    return Need(archive, folder, count, size, exact=False, there=None, names=())


def _named(folder: str, archive: str, keys: Sequence[str], root: Path) -> Need:
    """Return the need of files by their names, with suffixes in lower case."""
    files = list_files(root, folder, archive).values() if is_there(root, folder, archive) else ()
    on_disk = {file.key: file for file in files}
    existing = [on_disk[key] for key in keys if key in on_disk]
    exact = len(existing) == len(keys)
    size = sum(file.size for file in existing) if exact else _share(archive, len(keys))
    names = tuple(on_disk[key].name if key in on_disk else key for key in keys)
    return Need(archive, folder, len(keys), size, exact, len(existing), names)


def _share(archive: str, count: int) -> int | None:
    """Return the bytes of so many files of an archive, by its published size."""
    published = PUBLISHED.get(archive)
    return published.size * count // published.files if published else None
