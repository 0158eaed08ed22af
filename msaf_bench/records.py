"""What was measured: records, and how they reach the disk. No torch here.

A record is the JSON of one trial, kept under the trial's id.
"""

import base64
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from msaf_bench.files import read_kept, write_kept
from msaf_bench.host import Host
from msaf_bench.matrices import MOST, SparseMatrices
from msaf_bench.packed import names
from msaf_bench.spec import Numbers, Side, Spec, System, Trial

FORMAT = 2  #: of a record
#: determinism of a training whose equal seeds give equal numbers
BIT_FOR_BIT = "bit for bit"
CHUNK = 2**14  #: bytes that are unpacked at a time; they become a thousand times as many at most
RENAMED = {"etc2020": "etc2020-thc"}  #: consistency presets of format 1


class Matrices(Spec):
    """Confusion matrices, one an image: N x K x K counts, rows truth, columns prediction, packed
    for JSON.

    Cells that are zero are not written, so that a record of many images and classes stays small
    and is read in no time. Earlier versions wrote every cell; their records are read as before.
    """

    images: Annotated[int, Field(ge=0)]
    classes: Annotated[int, Field(gt=0, le=MOST)]
    #: number of cells that are written; None: all, as earlier versions did
    cells: Annotated[int, Field(ge=0)] | None = None
    #: number of images that its one matrix is the sum of; None: one matrix per image
    pooled: Annotated[int, Field(gt=0)] | None = None
    zlib: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self.sparse()
        return self

    @classmethod
    def pack(cls, matrices: SparseMatrices | NDArray[np.int64]) -> Self:
        """From sparse matrices, or an (N, K, K) array."""
        if not isinstance(matrices, SparseMatrices):
            matrices = SparseMatrices(matrices.shape[1], matrices)
        return cls(**matrices.document())

    def sparse(self) -> SparseMatrices:
        """Return the matrices without their zeros. Raises `ValueError` where they are damaged."""
        try:
            packed = base64.b64decode(self.zlib, validate=True)
            return self._every(packed) if self.cells is None else self._filled(packed, self.cells)
        except (zlib.error, ValueError) as error:
            raise ValueError("its matrices are damaged") from error

    def unpack(self) -> NDArray[np.int64]:
        """Return all cells, an array (N, K, K): large where there are many images and classes."""
        whole = np.zeros((self.images, self.classes, self.classes), np.int64)
        for place, matrix in zip(whole, self.sparse(), strict=True):
            place[:] = matrix
        return whole

    def _filled(self, packed: bytes, cells: int) -> SparseMatrices:
        """From the cells that are not zero: their number in each image, places and counts."""
        expected = 4 * self.images + 6 * cells
        stream = zlib.decompressobj()
        data = stream.decompress(packed, expected + 1)
        if len(data) != expected or not stream.eof:
            raise ValueError(f"{len(data)} bytes, not {expected}")
        filled = np.frombuffer(data, "<u4", self.images)
        places = np.frombuffer(data, "<u2", cells, filled.nbytes)
        counts = np.frombuffer(data, "<u4", cells, filled.nbytes + places.nbytes)
        return SparseMatrices.joined(self.classes, filled, places, counts)

    def _every(self, packed: bytes) -> SparseMatrices:
        """From all cells, of which few at a time are in memory."""
        size, stream, found = self.classes**2, zlib.decompressobj(), SparseMatrices(self.classes)
        data = b""
        for first in range(0, len(packed), CHUNK):
            data += stream.decompress(packed[first : first + CHUNK])
            whole = len(data) // (4 * size)
            for matrix in np.frombuffer(data, "<u4", whole * size).reshape(whole, size):
                found.append(matrix)
            data = data[4 * size * whole :]
        if data or not stream.eof or len(found) != self.images:
            raise ValueError(f"{len(found)} matrices, not {self.images}")
        return found


Counts = tuple[tuple[str, int], ...]


class Cost(Spec):
    """What a network holds and computes, by part, at the size of the conditions."""

    params: Counts
    clip: Counts  #: MACs of a whole clip
    stream: Counts  #: MACs of one more frame, where what the past frames gave is kept


class SystemCost(Spec):
    """What a system costs as published: counted on shapes at the size that the table's numbers are
    for, not at the size of a run.
    """

    system: System
    size: tuple[Side, Side]  #: H, W of a frame
    num_classes: int
    params: int = 0  #: that inference uses
    clip: int = 0  #: MACs of a whole clip
    #: MACs of each frame of the stream's cycle, the key frame first; what the past gave is kept
    stream: tuple[int, ...] = ()
    live_mib: float = 0.0  #: activations that exist at once in a stream, a lower bound
    uncounted: tuple[str, ...] = ()  #: what the counts leave out
    reason: str = ""  #: why nothing could be counted


class Consistency(Spec):
    """Temporal consistency of the predictions on the scored split under one preset."""

    preset: str
    flow: str
    value: float | None  #: None for the reason given
    reason: str = ""
    pairs: int = 0
    agreement: float | None = None  #: share of the votes that agree, in percent
    votes: float | None = None  #: share of the pixels that have a vote, in percent
    #: what predictions that need no network get under the same preset and flow
    controls: tuple[tuple[str, float | None], ...] = ()
    matrices: Matrices | None = None  #: of each pair, where the preset is made of them


PAST = "past"  #: the past frames, as a part among the pulses


class Pulse(Spec):
    """How alive one part of a network is: of MSAF a slot, else a child; "past" stands for the past
    frames.
    """

    part: str
    live: bool
    reason: str = ""  #: why it is not live
    #: rms of its weights' gradient over that of all trained weights, last tenth of training; None:
    #: frozen
    gradient: float | None = None
    silent: float | None = None  #: share of its weights without any gradient there
    changed: float | None = None  #: percent of the pixels whose class changes when it is silenced
    #: mIoU lost when it is silenced, in points, on the clips of the pulse
    miou: float | None = None
    gauges: Numbers = ()  #: readings of its own kind, by name (`msaf_bench.liveness`)


class Record(Spec):
    """The outcome of one trial."""

    format: Literal[2] = FORMAT
    trial: Trial
    state: Literal["done", "failed"]
    reason: str = ""  #: why it failed
    host: Host
    ended: str = ""  #: UTC, 2026-11-26T11:00:00Z; empty in records made before times were kept
    data: str  #: fingerprint of the data it read
    #: what the network started from: "random", the pre-training's id, or files of weights with
    #: their sha256
    start: str = ""
    params: int = 0
    class_names: tuple[str, ...] = ()
    confusion: Matrices | None = None  #: of the scored split
    still: Matrices | None = None  #: the same with the newest frame in place of its history
    pulses: tuple[Pulse, ...] = ()  #: of each part; empty in records made before pulses were taken
    consistency: tuple[Consistency, ...] = ()
    cost: Cost | None = None
    repeated: int = 0  #: history frames of the scored split that do not exist and were replaced
    skipped: int = 0  #: scored clips left out for lack of history
    loss: tuple[tuple[int, float], ...] = ()  #: (step, mean training loss since the last entry)
    #: (steps done, mIoU in percent on clips held out of training); empty without validation
    validation: tuple[tuple[int, float], ...] = ()
    #: step whose weights were scored, where those of the highest validation mIoU were kept; else 0
    kept_step: int = 0
    processes: int = 1  #: that trained it together
    #: how far equal seeds give equal numbers: `BIT_FOR_BIT` with equal threads and processes, or
    #: whether deterministic kernels were asked for, and which there were not; empty in earlier
    #: records
    determinism: str = ""
    seconds: tuple[tuple[str, float], ...] = ()  #: (part, wall time)
    peak_mib: float = 0.0  #: highest resident memory of the process so far
    plugins: tuple[str, ...] = ()


def write_record(folder: Path, record: Record) -> Path:
    """Writes the record under its trial's id."""
    path = folder / f"{record.trial.id}.json"
    write_kept(path, record)
    return path


def read_record(path: Path) -> Record:
    """Reads one record. An unreadable one is an error that names the file: it is never taken for a
    missing trial.

    Raises `HostError` too for a record whose trial is not the one that its file is named after.
    """
    return read_kept(
        Record, path, "record", "run its trial again", _upgraded, lambda record: record.trial.id
    )


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """A record of format 1, which had no checksum; the measure that it calls `etc2020` is called
    `etc2020-thc` now.
    """
    if content.get("format") != 1:
        raise ValueError("it has no checksum")
    content["format"] = FORMAT
    rename_consistency(content["trial"]["conditions"])
    for measured in content.get("consistency", ()):
        measured["preset"] = RENAMED.get(measured["preset"], measured["preset"])
    return content


def rename_consistency(conditions: dict[str, Any]) -> None:
    """Gives the consistency presets of conditions that an earlier version wrote their present
    names.
    """
    conditions["consistency"] = [RENAMED.get(name, name) for name in conditions["consistency"]]


def each_record(folder: Path) -> Iterator[Record]:
    """Read the records of a folder one by one, by the name of their files. None for no folder."""
    for name in names(folder):
        yield read_record(folder / name)


def read_records(folder: Path) -> dict[str, Record]:
    """Read all records of a folder, whole, by trial id."""
    return {record.trial.id: record for record in each_record(folder)}


def hosts_of(records: Sequence[Record]) -> tuple[Host, ...]:
    """The distinct hosts, in order of first appearance."""
    return tuple(dict.fromkeys(r.host for r in records))
