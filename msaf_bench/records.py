"""Records of trials, and their files. No torch here.

A record is the JSON of one trial, stored under the trial's id.
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
CHUNK = 2**14  #: bytes unpacked at a time; they grow by a factor of at most 1,000
RENAMED = {"etc2020": "etc2020-thc"}  #: consistency presets of format 1


class Matrices(Spec):
    """Confusion matrices per image: N x K x K counts, rows truth, columns prediction, as JSON.

    Zero cells are not written, so a record of many images and classes stays small. Earlier versions
    wrote every cell; their records are still read.
    """

    images: Annotated[int, Field(ge=0)]
    classes: Annotated[int, Field(gt=0, le=MOST)]
    #: number of written cells; None: all cells, as in earlier versions
    cells: Annotated[int, Field(ge=0)] | None = None
    #: number of images summed into its one matrix; None: one matrix per image
    pooled: Annotated[int, Field(gt=0)] | None = None
    zlib: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self.sparse()
        return self

    @classmethod
    def pack(cls, matrices: SparseMatrices | NDArray[np.int64]) -> Self:
        """Pack sparse matrices or an array (N, K, K)."""
        if not isinstance(matrices, SparseMatrices):
            matrices = SparseMatrices(matrices.shape[1], matrices)
        return cls(**matrices.document())

    def sparse(self) -> SparseMatrices:
        """Return the matrices without zeros. Raises `ValueError` if they are damaged."""
        try:
            packed = base64.b64decode(self.zlib, validate=True)
            return self._every(packed) if self.cells is None else self._filled(packed, self.cells)
        except (zlib.error, ValueError) as error:
            raise ValueError("its matrices are damaged") from error

    def unpack(self) -> NDArray[np.int64]:
        """Return all cells as an array (N, K, K); large for many images and classes."""
        whole = np.zeros((self.images, self.classes, self.classes), np.int64)
        for place, matrix in zip(whole, self.sparse(), strict=True):
            place[:] = matrix
        return whole

    def _filled(self, packed: bytes, cells: int) -> SparseMatrices:
        """Unpack non-zero cells: their number per image, places and counts."""
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
        """Unpack all cells, holding few of them in memory at a time."""
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
    """Parameters and MACs of a network by part, at the size of the conditions."""

    params: Counts
    clip: Counts  #: MACs of a whole clip
    stream: Counts  #: MACs of one more frame, with the results of past frames kept


class SystemCost(Spec):
    """Cost of a system as published.

    It is counted on shapes, at the size of the table's printed numbers and not at that of a run.
    """

    system: System
    size: tuple[Side, Side]  #: H, W of a frame
    num_classes: int
    params: int = 0  #: parameters that inference uses
    clip: int = 0  #: MACs of a whole clip
    #: MACs of each frame of the stream's cycle, the key frame first
    stream: tuple[int, ...] = ()
    live_mib: float = 0.0  #: activations that exist at the same time in a stream, a lower bound
    uncounted: tuple[str, ...] = ()  #: operations that the counts leave out
    reason: str = ""  #: why nothing could be counted


class Consistency(Spec):
    """Temporal consistency of the predictions on the scored split under one preset."""

    preset: str
    flow: str
    value: float | None  #: None if it could not be measured; see `reason`
    reason: str = ""
    pairs: int = 0
    agreement: float | None = None  #: share of the votes that agree, in percent
    votes: float | None = None  #: share of the pixels that have a vote, in percent
    #: scores of predictions without a network, under the same preset and flow
    controls: tuple[tuple[str, float | None], ...] = ()
    matrices: Matrices | None = None  #: per pair, if the preset is computed from them


PAST = "past"  #: the past frames, as a part among the pulses


class Pulse(Spec):
    """Activity of one part of a network: a slot of MSAF, a child of other networks, or "past" for
    the past frames.
    """

    part: str
    live: bool
    reason: str = ""  #: why it is not live
    #: rms gradient of its weights relative to all trained weights, in the last tenth of training;
    #: None: frozen
    gradient: float | None = None
    silent: float | None = None  #: share of its weights without a gradient in that tenth
    changed: float | None = None  #: percent of pixels whose class changes if the part is silenced
    #: mIoU lost if the part is silenced, in points, on the clips of the pulse
    miou: float | None = None
    gauges: Numbers = ()  #: further readings by name (`msaf_bench.liveness`)


class Record(Spec):
    """The outcome of one trial."""

    format: Literal[2] = FORMAT
    trial: Trial
    state: Literal["done", "failed"]
    reason: str = ""  #: why it failed
    host: Host
    ended: str = ""  #: UTC, such as 2026-11-26T11:00:00Z; empty in records of earlier versions
    data: str  #: fingerprint of the data that the trial read
    #: start of the network: "random", id of the pre-training, or files of weights with their
    #: sha256
    start: str = ""
    params: int = 0
    class_names: tuple[str, ...] = ()
    confusion: Matrices | None = None  #: on the scored split
    still: Matrices | None = None  #: with the newest frame repeated in place of its history
    pulses: tuple[Pulse, ...] = ()  #: one per part; empty in records of versions without pulses
    consistency: tuple[Consistency, ...] = ()
    cost: Cost | None = None
    repeated: int = 0  #: missing history frames of the scored split that were replaced
    skipped: int = 0  #: clips that were not scored for lack of history
    loss: tuple[tuple[int, float], ...] = ()  #: (step, mean training loss since the previous entry)
    #: (steps done, mIoU in percent on clips held out of training); empty without validation
    validation: tuple[tuple[int, float], ...] = ()
    #: step of the scored weights if the best validated ones were kept, else 0
    kept_step: int = 0
    processes: int = 1  #: number of processes that trained it together
    #: `BIT_FOR_BIT` if equal seeds give equal numbers with equal threads and processes; otherwise
    #: whether deterministic kernels were requested, and which are missing; empty in earlier records
    determinism: str = ""
    seconds: tuple[tuple[str, float], ...] = ()  #: (part, wall time in s)
    peak_mib: float = 0.0  #: peak resident memory of the process so far, earlier trials included
    plugins: tuple[str, ...] = ()


def write_record(folder: Path, record: Record) -> Path:
    """Write the record under its trial's id, and return its path."""
    path = folder / f"{record.trial.id}.json"
    write_kept(path, record)
    return path


def read_record(path: Path) -> Record:
    """Read one record.

    Raises `HostError`, naming the file, for a damaged record and for one stored under the name of
    another trial. A damaged record never counts as a missing trial.
    """
    return read_kept(
        Record, path, "record", "run its trial again", _upgraded, lambda record: record.trial.id
    )


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """Upgrade a record of format 1: no checksum, and `etc2020-thc` under the name `etc2020`."""
    if content.get("format") != 1:
        raise ValueError("it has no checksum")
    content["format"] = FORMAT
    rename_consistency(content["trial"]["conditions"])
    for measured in content.get("consistency", ()):
        measured["preset"] = RENAMED.get(measured["preset"], measured["preset"])
    return content


def rename_consistency(conditions: dict[str, Any]) -> None:
    """Rename the consistency presets of an earlier version."""
    conditions["consistency"] = [RENAMED.get(name, name) for name in conditions["consistency"]]


def each_record(folder: Path) -> Iterator[Record]:
    """Yield the records of a folder, sorted by file name; nothing if there is no folder."""
    for name in names(folder):
        yield read_record(folder / name)


def read_records(folder: Path) -> dict[str, Record]:
    """Read all records of a folder by trial id."""
    return {record.trial.id: record for record in each_record(folder)}


def hosts_of(records: Sequence[Record]) -> tuple[Host, ...]:
    """Return the distinct hosts in order of first appearance."""
    return tuple(dict.fromkeys(r.host for r in records))
