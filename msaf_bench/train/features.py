"""Features of a frozen backbone, computed once for all trials that start from it.

Shapes: N clips, D draws, T frames, H W image.
"""

import fcntl
import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open  # pyright: ignore[reportUnknownVariableType]
from safetensors.torch import save
from torch import Tensor

from msaf_bench.architectures.network import ExtractingNetwork, VideoNetwork
from msaf_bench.data.clips import Clip, Clips
from msaf_bench.data.prefetch import ahead
from msaf_bench.data.transforms import augment, normalise, stacked
from msaf_bench.files import write_atomic
from msaf_bench.ports import ClipLogits, Reader
from msaf_bench.spec import Conditions, content_hash

Part = Literal["train", "score", "validate"]
MOST = 2**31  #: maximum bytes of stored features; larger sets are recomputed at each use
#: Conditions that affect the features of a clip.
READ = (
    "data", "data_options", "size", "crop", "frames", "train_spacing", "score_spacing", "history",
    "scored", "past", "flow", "scale",
    "flip", "draws",
)  # fmt: skip
BATCH = 8  #: clips per forward pass of the backbone


class Features(NamedTuple):
    """Input of the network after the backbone: the extract's fields, each (D N, ...), by draw."""

    fields: tuple[Tensor, ...]
    labels: Tensor  #: (D N, H, W) uint8 for the training split; (0,) for others
    clips: int  #: N

    def of(self, indices: Sequence[int], device: str) -> tuple[Tensor, ...]:
        """Return the extract of the clips with these indices, on the device."""
        return tuple(field[list(indices)].to(device) for field in self.fields)


def cached_reader(
    net: VideoNetwork,
    features: Features,
    clips: Clips,
    size: tuple[int, int],
    device: str,
    threads: int = 0,
) -> Reader:
    """Return a reader of scored clips that starts from their features.

    Args:
        net: Network that can start from features.
        features: Features of the clips.
        clips: Clips with ground truth.
        size: (H, W) of the frames.
        device: Device of the network.
        threads: Number of threads that read label maps ahead.
    """
    assert isinstance(net, ExtractingNetwork)
    like = torch.empty(1, *size, device="meta")

    def labels_of(indices: Sequence[int]) -> list[NDArray[np.uint8]]:
        return [clips[i].label for i in indices]

    def read(chunks: Sequence[Sequence[int]], still: bool) -> Generator[ClipLogits]:
        with ahead(labels_of, chunks, threads) as loaded:
            for indices, labels in zip(chunks, loaded, strict=True):
                with torch.inference_mode():
                    found = features.of(indices, device)
                    out = net.from_features(net.still(found) if still else found, like)
                yield ClipLogits(out.logits, labels)

    return read


def frozen(net: VideoNetwork, conditions: Conditions) -> TypeGuard[ExtractingNetwork]:
    """Return whether the backbone is frozen and the network can start from its features."""
    return conditions.backbone_rate == 0 and isinstance(net, ExtractingNetwork)


def drawn(clips: Clips, conditions: Conditions, index: int, draw: int) -> Clip:
    """Return one augmented version of a clip, the same in every step and for every seed.

    Args:
        clips: Training clips.
        conditions: Conditions of the augmentation.
        index: Index of the clip.
        draw: Number of the version, from 0.
    """
    return augment(clips[index], conditions, np.random.default_rng((index, draw, 3)))


def features_of(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    split: Part,
    folder: Path,
    device: str,
) -> Features | None:
    """Return the features of a split under a frozen backbone, stored in `folder` at the first call.

    The training split has `conditions.draws` augmented versions of each clip. One process computes
    the features while others wait. A damaged file is replaced.

    Args:
        net: Network with a frozen backbone.
        clips: Clips of the split.
        conditions: Conditions of the training.
        split: "train", "score" or "validate".
        folder: Folder of stored features.
        device: Device of the network.

    Returns:
        The features, or None if they are not stored: the backbone is trained, the network cannot
            start from features, clips are augmented anew in each step, or the features exceed
            `MOST` bytes.
    """
    draws = conditions.draws if split == "train" else 1
    if (
        not frozen(net, conditions)
        or not draws
        or clip_bytes(net, conditions) * draws * clip_count(clips, split) > MOST
    ):
        return None
    path = folder / f"{_key(net, clips, conditions, split)}.safetensors"
    with _locked(path):
        held = _read(path)
        if held is None:
            computed = _computed(net, clips, conditions, split, draws, device)
            write_atomic(path, save(computed, {"sha256": _digest(computed)}))
            held = computed
    return Features(tuple(held[str(i)] for i in range(len(held) - 1)), held["labels"], len(clips))


def _read(path: Path) -> dict[str, Tensor] | None:
    """Return the features stored by an earlier call, or None if they are missing or damaged."""
    try:
        return _verified(path, path.stat().st_mtime_ns)
    except (OSError, SafetensorError, ValueError):
        return None


@lru_cache(maxsize=8)
def _verified(path: Path, changed: int) -> dict[str, Tensor]:
    opened: Any = safe_open(path, "pt")
    with opened as file:
        found: dict[str, Tensor] = {
            name: file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118
        }
        given: dict[str, str] = file.metadata() or {}
    if given.get("sha256") != _digest(found):
        raise ValueError(f"{path}: damaged")
    return found


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _locked(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def clip_count(clips: Clips, split: Part) -> int:
    """Return the number of clips with stored features.

    The scored split includes its unlabelled clips, which are read for temporal consistency.
    """
    return len(clips) + (clips.unlabelled if split == "score" else 0)


def clip_bytes(net: ExtractingNetwork, conditions: Conditions) -> int:
    """Return the size of one clip's features in bytes."""
    frames = torch.zeros(1, net.frames, 3, *conditions.size, device=next(net.parameters()).device)
    with torch.inference_mode():
        return sum(field.nbytes for field in net.eval().extract(frames))


def _key(net: ExtractingNetwork, clips: Clips, conditions: Conditions, split: Part) -> str:
    digest = hashlib.sha256()
    for name, tensor in net.backbone.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    held = {name: getattr(conditions, name) for name in READ}
    beside = f" and {clips.unlabelled} unlabelled" if clip_count(clips, split) > len(clips) else ""
    return content_hash(
        f"{digest.hexdigest()} {net.frames} {net.input_scale} {held} {split}"
        f" {clips.fingerprint}{beside}"
    )


@torch.inference_mode()
def _computed(
    net: ExtractingNetwork,
    clips: Clips,
    conditions: Conditions,
    split: Part,
    draws: int,
    device: str,
) -> dict[str, Tensor]:
    net.eval()
    places = [(i, draw) for draw in range(draws) for i in range(clip_count(clips, split))]
    found: list[tuple[Tensor, ...]] = []
    labels: list[Tensor] = []
    for first in range(0, len(places), BATCH):
        chunk = places[first : first + BATCH]
        if split == "train":
            read = [drawn(clips, conditions, i, draw) for i, draw in chunk]
            labels.append(stacked([clip.label for clip in read]))
        else:
            read = [clips[i] for i, _ in chunk]
        frames = stacked([clip.frames for clip in read], device)
        extract = net.extract(normalise(frames.to(device, non_blocking=True)))
        found.append(tuple(field.cpu() for field in extract))
    fields = {
        str(i): torch.cat(parts).contiguous() for i, parts in enumerate(zip(*found, strict=True))
    }
    return fields | {"labels": torch.cat(labels) if labels else torch.zeros(0, dtype=torch.uint8)}
