"""The documents of a packed run: records, costs and speeds in one small archive. No torch here.

`msaf-bench pack` moves the JSON documents of a run into `packed.tar.xz`. Every reader of a run asks
here for a document that is not in its folder, so a packed run reads like any other.

The archive holds the documents as JSON. The confusion matrices of all records lie beside them,
sorted by cell and not by record: neighbours are then the counts of one cell under all trials, which
are similar and compress well. Shapes: T records, P cells that some record
fills, 4 bytes per count.
"""

import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import HostError
from msaf_bench.matrices import SparseMatrices

ARCHIVE = "packed.tar.xz"  #: name of the archive in the folder of a run
FIELDS = ("confusion", "still")  #: fields of a record that hold matrices
Document = dict[str, Any]


class Stack(NamedTuple):
    """Matrices of one field, from all records with this number of images and classes."""

    field: str
    images: int
    classes: int
    names: Sequence[str]  #: names of the T documents
    matrices: Sequence[SparseMatrices]  #: one per document


def names(folder: Path) -> list[str]:
    """Return the sorted file names of a folder's JSON documents, in the folder or packed."""
    found = {path.name for path in folder.glob("[!.]*.json")}
    inside = f"{folder.name}/"
    packed = (name.removeprefix(inside) for name in _of(folder.parent) if name.startswith(inside))
    return sorted(found.union(packed))


def holds(path: Path) -> bool:
    """Return whether there is a document at this path, in its folder or packed."""
    return path.exists() or document(path) is not None


def document(path: Path) -> Document | None:
    """Return the packed document that would have this path; None if there is none.

    Raises `HostError` for a damaged archive.
    """
    found = _of(path.parent.parent).get(f"{path.parent.name}/{path.name}")
    return None if found is None else dict(found)


def archive(documents: Mapping[str, Document], stacks: Iterable[Stack]) -> bytes:
    """Return an archive of documents, by folder and file name, and of the matrices of records.

    Equal content gives equal bytes.
    """
    members = {name: json.dumps(content).encode() for name, content in sorted(documents.items())}
    for stack in stacks:
        places, counts = _columns(stack)
        about = {**stack._asdict(), "matrices": None}
        name = f"matrices/{stack.field}-{stack.images}x{stack.classes}"
        members[f"{name}.json"] = json.dumps(about).encode()
        members[f"{name}-places.npy"] = _npy(np.diff(places, prepend=0).astype("<u4"))
        members[f"{name}-counts.npy"] = _npy(_planes(counts))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def _of(run: Path) -> Mapping[str, Document]:
    path = run / ARCHIVE
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return {}
    return _read(path, changed)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Mapping[str, Document]:
    """Read a whole archive, once per time of modification `changed`."""
    try:
        with tarfile.open(path, "r:xz") as tar:
            members = {
                each.name: file.read()
                for each in tar
                if (file := tar.extractfile(each)) is not None
            }
        documents = {
            name: json.loads(data)
            for name, data in members.items()
            if not name.startswith("matrices/")
        }
        for name, data in members.items():
            if name.startswith("matrices/") and name.endswith(".json"):
                _restore(documents, Stack(**json.loads(data)), members, name.removesuffix(".json"))
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError, ValueError, LookupError) as error:
        raise HostError(
            f"{path}: damaged ({error}); fetch it again or take it from the version control"
        ) from error
    return documents


def _restore(
    documents: Mapping[str, Document], stack: Stack, members: Mapping[str, bytes], stem: str
) -> None:
    """Put the matrices of a stack back into their records."""
    places = np.cumsum(_array(members[f"{stem}-places.npy"]), dtype=np.int64)
    planes = _array(members[f"{stem}-counts.npy"])  # (4, P, T)
    counts = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<u4")[..., 0]
    image, cell = np.divmod(places, stack.classes**2)
    for name, column in zip(stack.names, counts.T, strict=True):
        there = column > 0
        filled = np.bincount(image[there], minlength=stack.images)
        matrices = SparseMatrices.joined(
            stack.classes, filled, cell[there].astype(np.uint16), column[there]
        )
        documents[name][stack.field] |= matrices.document()


def _columns(stack: Stack) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the filled places (P,) of a flattened (N, K, K), and their counts (P, T)."""
    own = [_places(matrices) for matrices in stack.matrices]
    places = np.unique(np.concatenate([place for place, _ in own]))
    counts = np.zeros((len(places), len(own)), np.uint32)
    for column, (place, count) in enumerate(own):
        counts[np.searchsorted(places, place), column] = count
    return places, counts


def _places(matrices: SparseMatrices) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    filled, cells, counts = matrices.flat()
    return np.repeat(np.arange(len(matrices)), filled) * matrices.classes**2 + cells, counts


def _planes(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the bytes of counts by their rank, lowest first, (4, ...): high ones are mostly 0."""
    split = np.ascontiguousarray(counts.astype("<u4")).view(np.uint8)
    return np.ascontiguousarray(np.moveaxis(split.reshape(*counts.shape, 4), -1, 0))


def _npy(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _array(data: bytes) -> NDArray[Any]:
    return np.load(io.BytesIO(data), allow_pickle=False)
