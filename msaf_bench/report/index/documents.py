"""Parts of a report's JSON, `TABLE.json`, that an index reads.

Unknown keys are ignored, and keys missing in reports of earlier versions have defaults.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from msaf_bench.stats import Interval


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Bounds(_Part):
    """A mean with its 95 % interval; None below two seeds."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> Interval:
        """Interval as in findings, without standard deviation and count."""
        return Interval(self.mean, self.low, self.high, None, 0)


class AnswerLine(_Part):
    """One measured difference or rank correlation with its verdict."""

    part: str
    versus: str = ""
    unit: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    word: str

    @property
    def interval(self) -> Interval | None:
        """Amount with its interval; None if nothing was measured."""
        if self.mean is None:
            return None
        return Bounds(mean=self.mean, low=self.low, high=self.high).interval


class Machine(_Part):
    """Host that computed some of the records."""

    device: str
    cpu: str
    threads: int = 1
    commit: str = ""

    @property
    def name(self) -> str:
        """Name of the processor or device."""
        return self.cpu if self.device == "cpu" else self.device


class PartHealth(_Part):
    """Health of one part of a row."""

    part: str
    live: bool
    reason: str = ""


class ListedPercentile(_Part):
    """A latency in ms with its 95 % interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class ListedRow(_Part):
    """A row or a control of the table."""

    label: str
    state: str = ""
    system_key: str | None = None
    live: bool | None = None
    parts: tuple[PartHealth, ...] = ()
    miou: Bounds | None = None
    miou_by_seed: dict[int, float] = {}
    params: int | None = None
    macs_stream: float | None = None
    latency_ms: dict[str, ListedPercentile] = {}

    @property
    def ill(self) -> str:
        """Faults of parts that are not live; empty for a live row."""
        if self.live is not False:
            return ""
        dead = (part for part in self.parts if not part.live)
        return "; ".join(f"{part.part} of {self.label} is {part.reason}" for part in dead)


class ListedReading(_Part):
    """A row of a study at one value of an axis."""

    live: bool | None = None


class Document(_Part):
    """Content of a report's JSON."""

    title: str = ""  #: empty in reports of earlier versions, which have no answers
    answers: tuple[AnswerLine, ...] = ()
    standing: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    cost: str = ""
    ended: str = ""  #: end of the newest trial in UTC; empty in old records without times
    hosts: tuple[Machine, ...] = ()
    data_content: tuple[str, ...] = ()
    seeds: tuple[int, ...] | int = ()
    rows: tuple[ListedRow, ...] = ()
    controls: tuple[ListedRow, ...] = ()
    lines: tuple[ListedReading, ...] = ()  #: readings of a study, which has no rows
    notes: tuple[str, ...] = ()


def read_document(path: Path) -> Document:
    """Read the JSON of a report.

    Raises `ValueError` with a one-line reason if it is invalid, `OSError` if it cannot be read.
    """
    try:
        return Document.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error
