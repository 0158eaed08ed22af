"""CamVid with 11 classes, in the folders of the SegNet tutorial: ROOT/{train,trainannot,val,valannot}/DRIVE_FRAME.png.

Frame numbers count source frames at 30 Hz. The training frames are one second apart, the validation frames 1/15 s.
"""

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from msaf_bench.data.clips import CAMVID_CLASSES, CAMVID_COLOURS, Clip
from msaf_bench.data.frames import resized
from msaf_bench.errors import DataError, UsageError, one_of
from msaf_bench.spec import VOID, Conditions, content_hash

Split = Literal["train", "score"]
Array = NDArray[np.uint8]

_FOLDERS: dict[Split, str] = {"train": "train", "score": "val"}
_COUNTS: dict[Split, int] = {"train": 367, "score": 101}  # of the official split
_VOID_ID = len(CAMVID_CLASSES)  # in the files
_NAME = re.compile(r"(?P<drive>[0-9A-Za-z]+)_f?(?P<frame>\d+)\.png")
_PNG_DAMAGE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


class _Frame(NamedTuple):
    drive: str
    number: int
    image: Path
    label: Path


class _Content(NamedTuple):
    images: Array  # (N, H, W, 3)
    labels: tuple[Array, ...]
    fingerprint: str


class CamVid:
    """A split of CamVid, as `Clips`: checked and read once a process, then kept in memory.

    A history frame is the one of the same drive whose number is right, give or take one source frame. Where it does not exist (before a
    drive's first frame, across a gap) the oldest one found stands in. Training labels come at `conditions.size`, scored labels as they are
    on disk. The only option is `allow_partial`, which accepts another number of frames than the official split has.
    Raises `UsageError` for an unknown option, `DataError` for the first thing that is wrong with the files.
    """

    classes: tuple[str, ...] = CAMVID_CLASSES
    colours: tuple[tuple[int, int, int], ...] = CAMVID_COLOURS

    def __init__(self, conditions: Conditions, split: Split, root: Path) -> None:
        for name, value in conditions.data_options:
            one_of("camvid option", name, ("allow_partial",))
            if not isinstance(value, bool):
                raise UsageError(f"camvid option {name} = {value!r}: needs true or false")
        self._frames = _listed(root, split, partial=dict(conditions.data_options).get("allow_partial") is True)
        self._content = _read(tuple(self._frames), conditions.size, split == "train")
        spacing = conditions.train_spacing if split == "train" else conditions.score_spacing
        self._history, self.repeated = _histories(self._frames, conditions.frames, spacing)
        self.fingerprint = self._content.fingerprint

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        frame = self._frames[index]
        images = self._content.images[list(self._history[index])]
        return Clip(images, self._content.labels[index], f"{frame.drive}/{frame.number:05d}")


def _listed(root: Path, split: Split, *, partial: bool) -> list[_Frame]:
    """The frames of a split by drive and number, each with its label file."""
    folder = _FOLDERS[split]
    images, labels = (_names(root / name) for name in (folder, f"{folder}annot"))
    for here, there, where in ((images, labels, f"{folder}annot"), (labels, images, folder)):
        missing = sorted(here - there)
        if missing:
            raise DataError(f"{root / where / missing[0]} is missing, and {len(missing) - 1} more of {len(here)}; copy the data set again")
    other = root / _FOLDERS["score" if split == "train" else "train"]
    shared = sorted(name for name in images if (other / name).exists())
    if shared:
        raise DataError(f"{root / folder / shared[0]} is in {other} too, and {len(shared) - 1} more; copy the data set again")
    if len(images) != _COUNTS[split] and not partial:
        raise DataError(f"{root / folder}: {len(images)} frames, the official split has {_COUNTS[split]}; copy the data set again")
    frames: list[_Frame] = []
    for name in images:
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(f"{root / folder / name}: not a frame's name; expected DRIVE_FRAME.png, such as 0016E5_07959.png")
        frames.append(_Frame(match["drive"], int(match["frame"]), root / folder / name, root / f"{folder}annot" / name))
    return sorted(frames)


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --root must hold train, trainannot, val and valannot of CamVid")
    names = {path.name for path in folder.iterdir() if path.suffix.lower() == ".png"}
    if not names:
        raise DataError(f"{folder}: no PNG files; copy the data set again")
    return names


def _histories(frames: Sequence[_Frame], length: int, spacing: int) -> tuple[list[tuple[int, ...]], int]:
    """For each frame the indices of its clip, oldest first; and how many of them stand in for frames that do not exist."""
    where = {(frame.drive, frame.number): i for i, frame in enumerate(frames)}
    # Frames a second apart are numbered a second apart only nearly; between close frames, one more or less is another frame.
    near = (0, -1, 1) if spacing >= 10 else (0,)
    clips: list[tuple[int, ...]] = []
    repeated = 0
    for i, frame in enumerate(frames):
        clip = [i]
        while len(clip) < length:
            wanted = frame.number - len(clip) * spacing
            found = next((j for d in near if (j := where.get((frame.drive, wanted + d))) is not None), None)
            if found is None:
                break
            clip.append(found)
        repeated += length - len(clip)
        clips.append(tuple(reversed(clip + clip[-1:] * (length - len(clip)))))
    if length > 1 and len(frames) > 1 and repeated == len(frames) * (length - 1):
        steps = sorted({b.number - a.number for a, b in pairwise(frames) if a.drive == b.drive})
        raise UsageError(f"camvid: no two frames of {frames[0].image.parent} are {spacing} source frames apart; there are steps of {steps}")
    return clips, repeated


@lru_cache(maxsize=4)
def _read(frames: tuple[_Frame, ...], size: tuple[int, int], resize_labels: bool) -> _Content:
    images, labels, digests = np.empty((len(frames), *size, 3), np.uint8), list[Array](), list[str]()
    table = np.arange(256, dtype=np.uint8)
    table[_VOID_ID] = VOID
    height, width = size
    for i, frame in enumerate(frames):
        (image, image_digest), (label, label_digest) = _png(frame.image, ("RGB",)), _png(frame.label, ("L", "P"))
        if image.shape[:2] != label.shape:
            (h, w), (lh, lw) = image.shape[:2], label.shape
            raise DataError(f"{frame.label}: a label of {lh}x{lw} for an image of {h}x{w}; copy the data set again")
        if label.max() > _VOID_ID:
            raise DataError(f"{frame.label}: label {label.max()}; expected 0 to {_VOID_ID} (11 classes and void), not raw ids or colours")
        images[i] = resized(image, size)
        label = table[label]
        if resize_labels:
            label = np.asarray(cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        labels.append(label)
        digests += [image_digest, label_digest]
    images.flags.writeable = False
    for label in labels:
        label.flags.writeable = False
    return _Content(images, tuple(labels), content_hash("\n".join(digests)))


def _png(path: Path, modes: tuple[str, ...]) -> tuple[Array, str]:
    """A PNG's pixels, palette indices for a palette; and its name, size and checksum."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); copy it again") from error
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            mode, pixels = image.mode, np.array(image, np.uint8)
    except _PNG_DAMAGE as error:
        raise DataError(f"{path}: not a whole PNG ({len(data)} bytes); copy it again") from error
    # Pillow gives 16-bit colour as 8-bit RGB, so the depth is read from the header: byte 24.
    if mode not in modes or data[24] == 16:
        raise DataError(f"{path}: a PNG of mode {mode} with {data[24]} bits; expected 8-bit {' or '.join(modes)}")
    return pixels, f"{path.parent.name}/{path.name} {len(data)} {crc32(data):08x}"
