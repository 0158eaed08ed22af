"""Tables: ordered rows, what is measured of them, and what the paper printed. No torch here."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from msaf_bench.errors import one_of
from msaf_bench.spec.conditions import OF_A_ROW
from msaf_bench.spec.systems import Slots
from msaf_bench.spec.values import (
    Dotted,
    Names,
    Option,
    Options,
    Parts,
    Past,
    Printed,
    Side,
    Spec,
    ordered_pairs,
)

#: what a table may print; `miou` is that of the validation split
METRICS = ("miou", "miou_test", "tc", "fps")


def _as_tuple(value: object) -> object:
    if isinstance(value, Mapping):
        return (cast("object", value),)
    return value


class Row(Spec):
    """One line of a table: a `swap` against the base system, or the `system` of `models/` it names,
    and what the paper printed. What a row says stands: a preset's stand-ins do not replace it.

    In a table without a base, a row that names no system is only printed: there is nothing to run
    yet.
    """

    swap: Slots = ()
    options: Options = ()
    parts: Parts = ()  #: options of the components in these slots, beside their own
    conditions: Dotted = ()  #: of its training, in place of the table's
    system: str = ""
    model: str = ""  #: as the paper names it, like its year and backbone
    year: int | None = None
    backbone: str = ""
    block: str = ""  #: of the printed table; the paper marks the best number of each
    paper: Printed = ()
    best: tuple[str, ...] = ()  #: the metrics whose number the paper marks as the best
    #: metric -> how its number was made, where that is not what the table says
    provenance: Names = ()
    note: str = ""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.system and self.swap:
            raise ValueError("a row has 'swap' or 'system', not both")
        for name, _ in self.conditions:
            one_of("condition that a row may change", name.partition(".")[0], OF_A_ROW)
        for metric in (*self.best, *dict(self.provenance)):
            one_of("printed metric", metric, dict(self.paper))
        return self


class Control(Spec):
    """A row of ours beside a table's own, never part of its comparisons: it shows what the run
    could have seen.

    `positive` must gain from the past where there is anything to gain, `bound` is the most that
    alignment could gain, `negative` must gain nothing over a network of one `single` frame, and a
    `reading` is another reading of the paper's text.
    """

    role: Literal["positive", "bound", "negative", "single", "reading"]
    system: str = ""  #: of `models/`; none: the table's base
    swap: Slots = ()
    options: Options = ()
    past: Past = "real"
    note: str = ""


class Axis(Spec):
    """A condition that a table is run over: every value is one whole table."""

    of: str  #: a condition, or an option such as `data_options.occluders`
    values: tuple[Option, ...] = Field(min_length=2)
    also: Annotated[
        tuple[tuple[str, tuple[Option, ...]], ...], BeforeValidator(ordered_pairs)
    ] = ()  #: that change with it, value by value
    title: str = ""  #: in figures, with its unit

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        for name, values in self.also:
            if len(values) != len(self.values):
                raise ValueError(
                    f"also {name!r} has {len(values)} values, {self.of!r} has {len(self.values)};"
                    " give one for each"
                )
        return self

    @property
    def shown(self) -> str:
        """Its title, else its name."""
        return self.title or self.of.rpartition(".")[2].replace("_", " ")


class Ordering(Spec):
    """A sentence of the paper that one row is better than another."""

    better: str
    worse: str
    source: str
    part: str = ""  #: of the method, that the pair tells apart
    #: by how many points, where the text says
    points: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Claim(Spec):
    """One number printed in the paper, with its place and its provenance."""

    row: str
    metric: str
    value: float
    place: str
    provenance: str
    dagger: bool = False  #: it was made otherwise than the table says of its numbers


class Table(Spec):
    """Ordered rows with what is measured and what the paper printed of them."""

    name: str
    title: str
    source: str
    question: str = ""  #: that its rows answer, for the heading of a report
    provenance: str = ""
    data: str = ""  #: the data set of the printed numbers
    base: str = ""  #: the system that `swap` changes; none where every row names its own
    #: H, W that the systems' published cost is counted at; None: it is not
    cost_size: tuple[Side, Side] | None = None
    cost_classes: int = Field(0, ge=0)
    metrics: tuple[str, ...]
    reference: str  #: the row that all others are compared with
    rows: Annotated[tuple[tuple[str, Row], ...], BeforeValidator(ordered_pairs)]
    controls: Annotated[tuple[tuple[str, Control], ...], BeforeValidator(ordered_pairs)] = ()
    #: conditions that the whole table is run over
    axis: Annotated[tuple[Axis, ...], BeforeValidator(_as_tuple)] = ()
    #: column of the paper -> slot; ticked where a row's slot is filled as in the base
    ticks: Names = ()
    orderings: tuple[Ordering, ...] = ()
    #: points of mIoU within which two rows count as the same
    margin: float = Field(0.5, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _known_rows(self) -> Self:
        labels = dict(self.rows)
        one_of("row", self.reference, labels)
        for ordering in self.orderings:
            one_of("row", ordering.better, labels)
            one_of("row", ordering.worse, labels)
        for metric in self.metrics:
            one_of("metric", metric, METRICS)
        for row in labels.values():
            for metric, _ in row.paper:
                one_of("metric", metric, METRICS)
        for label, _ in self.controls:
            if label in labels:
                raise ValueError(f"control {label!r} has the name of a row; give it another")
        return self

    @model_validator(mode="after")
    def _based(self) -> Self:
        """Raises `ValueError` where a table without a base changes one."""
        if self.base:
            return self
        for label, control in self.controls:
            if not control.system:
                raise ValueError(
                    f"control {label!r} changes a base system and the table has none; give it"
                    " a 'system'"
                )
        for label, row in self.rows:
            if (row.swap or row.options) and not row.system:
                raise ValueError(
                    f"row {label!r} changes a base system and the table has none; give it a"
                    " 'base' or the row a 'system'"
                )
        if self.reference not in self.built:
            raise ValueError(
                f"the reference row {self.reference!r} has no 'system': nothing could be"
                " compared with it"
            )
        return self

    def unnamed(self) -> "Table":
        """Return the table without the question and the names of parts, which change no trial."""
        orderings = tuple(each.model_copy(update={"part": ""}) for each in self.orderings)
        return self.model_copy(update={"question": "", "orderings": orderings})

    @property
    def built(self) -> tuple[str, ...]:
        """The labels of the rows that have a system; the others are only printed."""
        return tuple(label for label, row in self.rows if row.system or self.base)

    def claims(self) -> tuple[Claim, ...]:
        """Every printed number of the table."""
        found: list[Claim] = []
        for label, row in self.rows:
            provenance = dict(row.provenance)
            for metric, value in sorted(row.paper, key=lambda printed: METRICS.index(printed[0])):
                claim = Claim(
                    row=label,
                    metric=metric,
                    value=value,
                    place=f"{self.source}, {label!r}",
                    provenance=provenance.get(metric, self.provenance),
                    dagger=metric in provenance,
                )
                found.append(claim)
        return tuple(found)
