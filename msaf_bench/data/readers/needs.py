"""Which files a job needs of a data set, and how many bytes they are: before a download by
published sizes, after it exactly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msaf_bench.data.readers import camvid, camvid_original, cityscapes
from msaf_bench.data.readers.archives import is_there, list_files
from msaf_bench.errors import UsageError, one_of

Job = Literal["miou", "tc"]
Part = Literal["train", "val"]


class Published(NamedTuple):
    """What the owners of an archive say of it."""

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
    """What a job needs of one archive."""

    archive: str
    folder: str
    files: int
    #: bytes: exact where all files are there, else the archive's share by number of files; None
    #: where unknown
    size: int | None
    exact: bool
    #: files that are there, of those needed; None where their names are not known yet
    there: int | None
    names: tuple[str, ...]  #: below the root, where they are known


def find_needs(
    data: str, job: Job, parts: Sequence[Part], frames: int, spacing: int, root: Path | None
) -> list[Need]:
    """What a job needs of each archive: `miou` labelled frames, their label maps and past frames;
    `tc` all frames of the snippets.

    Names, and with them what is already there, need the label maps in `root`. Raises `UsageError`
    for a data set that nothing is known of.
    """
    if one_of("data set", data, ("street", "camvid", "cityscapes")) == "street":
        raise UsageError(
            "data plan: the street is made here and needs no file; use --data camvid or cityscapes"
        )
    return (
        _camvid(parts, root) if data == "camvid" else _cityscapes(job, parts, frames, spacing, root)
    )


def _cityscapes(
    job: Job, parts: Sequence[Part], frames: int, spacing: int, root: Path | None
) -> list[Need]:
    # What lies before the snippet is nowhere.
    past = (
        [offset for offset in SNIPPET if -frames * spacing < offset < 0 and offset % spacing == 0]
        if spacing
        else []
    )
    wanted = {
        cityscapes.STILLS: [0] if job == "miou" else [],
        cityscapes.LABELS: [0] if job == "miou" else [],
        cityscapes.SEQUENCES: past if job == "miou" else list(SNIPPET),
    }
    known = root is not None and is_there(
        root, cityscapes.LABELS, cityscapes.archive(cityscapes.LABELS)
    )
    labels = (
        {part: cityscapes.labelled_frames(root, part) for part in parts} if root and known else {}
    )
    needs: list[Need] = []
    for folder, offsets in wanted.items():
        names = [
            (
                label.name
                if folder == cityscapes.LABELS
                else _frame_name(folder, part, video, number + offset)
            )
            for part, found in labels.items()
            for (video, number), label in found.items()
            for offset in offsets
        ]
        count = len(offsets) * sum(cityscapes.COUNTS[part] for part in parts)
        if offsets:
            needs.append(_need(folder, cityscapes.archive(folder), names if known else count, root))
    return needs


def _frame_name(folder: str, part: str, video: str, number: int) -> str:
    return f"{folder}/{part}/{video.rpartition('_')[0]}/{video}_{number:06d}_leftImg8bit.png"


def _camvid(parts: Sequence[Part], root: Path | None) -> list[Need]:
    """The stills are each other's past, so more frames need no more files."""
    if root and is_there(root, "train", "train.zip") and not camvid_original.is_here(root):
        folders = [folder for part in parts for folder in (part, f"{part}annot")]
        held = {folder: list_files(root, folder, f"{folder}.zip").values() for folder in folders}
        return [
            _need(folder, f"{folder}.zip", [file.name for file in files], root)
            for folder, files in held.items()
        ]
    needs: list[Need] = []
    for folder in (camvid_original.STILLS, camvid_original.LABELS):
        known = root is not None and is_there(root, folder, f"{folder}.zip")
        wanted = (
            camvid_original.names_of(root, folder, parts)
            if root and known
            else sum(camvid.COUNTS[part] for part in parts)
        )
        needs.append(_need(folder, f"{folder}.zip", wanted, root))
    return needs


def _need(folder: str, archive: str, wanted: Sequence[str] | int, root: Path | None) -> Need:
    """Of files by their names, or of so many files whose names are not known."""
    count = wanted if isinstance(wanted, int) else len(wanted)
    published = PUBLISHED.get(archive)
    share = published.size * count // published.files if published else None
    if isinstance(wanted, int):
        return Need(archive, folder, count, share, exact=False, there=None, names=())
    here = (
        {f.name: f for f in list_files(root, folder, archive).values()}
        if root and is_there(root, folder, archive)
        else {}
    )
    there = [here[name] for name in wanted if name in here]
    exact = len(there) == count
    return Need(
        archive,
        folder,
        count,
        sum(f.size for f in there) if exact else share,
        exact,
        len(there),
        tuple(wanted),
    )
