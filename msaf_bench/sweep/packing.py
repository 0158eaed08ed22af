"""Move the documents of a finished run into one small archive, to be kept under version control."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from msaf_bench.errors import UsageError
from msaf_bench.files import write_atomic
from msaf_bench.matrices import SparseMatrices
from msaf_bench.packed import ARCHIVE, FIELDS, Document, Stack, archive, names
from msaf_bench.records import Matrices, Record, each_record
from msaf_bench.sweep.row_costs import read_cost
from msaf_bench.sweep.row_speeds import read_speed
from msaf_bench.sweep.workspace import Workspace


class Packed(NamedTuple):
    """A run that was packed."""

    folder: Path
    documents: int
    before: int  #: bytes of its documents as files
    after: int  #: bytes of the archive


def pack(folder: Path) -> tuple[Packed, ...]:
    """Pack a run, or each point of a run over an axis, and delete the files that were packed.

    Per-image matrices of the predictions stay. Those with the newest frame repeated are summed over
    images, and those of temporal consistency are dropped: no report reads more. Every number of a
    report stays the same.

    Raises `UsageError` for a folder without records, `LockedError` while the run is in use,
    `HostError` for a damaged document.
    """
    runs = [folder, *sorted(folder.glob("points/*"))]
    packed = tuple(_pack(Workspace(run)) for run in runs if names(Workspace(run).records))
    if not packed:
        raise UsageError(f"{folder} holds no records; give a folder that `msaf-bench ablate` wrote")
    return packed


def _pack(workspace: Workspace) -> Packed:
    with workspace.lock():
        found = list(_pooled(workspace))
        folders = (workspace.records, workspace.cost, workspace.speed)
        files = [path for each in folders for path in each.glob("[!.]*.json")]
        before = sum(path.stat().st_size for path in files)
        documents = {f"records/{record.trial.id}.json": _bare(record) for record in found}
        documents |= dict(_others(workspace))
        data = archive(documents, _stacks(found))
        write_atomic(workspace.folder / ARCHIVE, data)
        for path in files:
            path.unlink()
        for each in folders:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()
    return Packed(workspace.folder, len(documents), before, len(data))


def _pooled(workspace: Workspace) -> Iterator[Record]:
    for record in each_record(workspace.records):
        consistency = tuple(
            each.model_copy(update={"matrices": None}) for each in record.consistency
        )
        still = _sum(record.still) if record.still else None
        yield record.model_copy(update={"consistency": consistency, "still": still})


def _sum(matrices: Matrices) -> Matrices:
    if matrices.pooled:
        return matrices
    total = matrices.sparse().sum()
    packed = Matrices.pack(SparseMatrices(matrices.classes, [total]))
    return packed.model_copy(update={"pooled": matrices.images})


def _bare(record: Record) -> Document:
    """Return the document of a record, with its matrices left out."""
    document = record.model_dump(mode="json")
    for field in FIELDS:
        if document[field]:
            document[field] |= {"cells": 0, "zlib": ""}
    return document


def _others(workspace: Workspace) -> Iterator[tuple[str, Document]]:
    """Yield the costs and speeds, each by folder and name, once they have been read."""
    for folder, read in ((workspace.cost, read_cost), (workspace.speed, read_speed)):
        for name in names(folder):
            yield f"{folder.name}/{name}", read(folder / name).model_dump(mode="json")


def _stacks(records: list[Record]) -> Iterator[Stack]:
    for field in FIELDS:
        own = [
            ((matrices.images, matrices.classes), f"records/{record.trial.id}.json", matrices)
            for record in records
            if (matrices := getattr(record, field))
        ]
        own.sort(key=lambda each: each[:2])
        for (images, classes), some in groupby(own, key=lambda each: each[0]):
            chosen = list(some)
            yield Stack(
                field,
                images,
                classes,
                tuple(name for _, name, _ in chosen),
                tuple(matrices.sparse() for *_, matrices in chosen),
            )
