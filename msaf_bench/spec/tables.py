"""Tables: ordered rows, their metrics, and the numbers printed in the paper. No torch here."""

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

#: metrics of a table; `miou` is on the validation split, `miou_test` on the test split
METRICS = ("miou", "miou_test", "tc", "fps")


def _as_tuple(value: object) -> object:
    if isinstance(value, Mapping):
        return (cast("object", value),)
    return value


class Row(Spec):
    """One line of a table.

    A row is either a `swap` against the base system, or names a `system` of `models/`. It also
    holds the numbers printed in the paper. A preset's stand-ins do not replace a row's own choices.
    In a table without a base, a row without a system is only printed and not run.
    """

    swap: Slots = ()
    options: Options = ()
    parts: Parts = ()  #: additional options of the components in these slots
    conditions: Dotted = ()  #: conditions of its training, in place of the table's
    system: str = ""
    model: str = ""  #: name in the paper; `year` and `backbone` are also the paper's
    year: int | None = None
    backbone: str = ""
    block: str = ""  #: block of the printed table; the paper marks the best number per block
    paper: Printed = ()
    best: tuple[str, ...] = ()  #: metrics marked as best in the paper
    #: metric -> provenance of its number, if it differs from the table's
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
    """Our own row beside a table's rows, never part of its comparisons.

    It shows whether the run could have detected an effect. A `positive` control must gain from the
    past wherever a gain is possible. A `bound` is the largest possible gain from alignment. A
    `negative` control must gain nothing over a network of one `single` frame. A `reading` is
    another reading of the paper's text.
    """

    role: Literal["positive", "bound", "negative", "single", "reading"]
    system: str = ""  #: name in `models/`; empty: the table's base
    swap: Slots = ()
    options: Options = ()
    past: Past = "real"
    note: str = ""


class Axis(Spec):
    """Condition with several values; the whole table is run once per value."""

    of: str  #: name of a condition, or of an option such as `data_options.occluders`
    values: tuple[Option, ...] = Field(min_length=2)
    also: Annotated[
        tuple[tuple[str, tuple[Option, ...]], ...], BeforeValidator(ordered_pairs)
    ] = ()  #: further conditions that change with it, value by value
    title: str = ""  #: title in figures, with the unit

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
        """Title, or the name if there is no title."""
        return self.title or self.of.rpartition(".")[2].replace("_", " ")


class Ordering(Spec):
    """Statement of the paper that one row is better than another."""

    better: str
    worse: str
    source: str
    part: str = ""  #: part of the method that distinguishes the two rows
    #: stated difference in points; None if not stated
    points: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Claim(Spec):
    """One number printed in the paper, with its place and its provenance."""

    row: str
    metric: str
    value: float
    place: str
    provenance: str
    dagger: bool = False  #: the provenance differs from the table's


class Table(Spec):
    """Ordered rows with their metrics and the numbers printed in the paper."""

    name: str
    title: str
    source: str
    question: str = ""  #: question answered by the rows, for the heading of a report
    provenance: str = ""
    data: str = ""  #: data set of the printed numbers
    base: str = ""  #: system changed by `swap`; empty if every row names its own
    #: H, W for counting the systems' published cost; None: not counted
    cost_size: tuple[Side, Side] | None = None
    cost_classes: int = Field(0, ge=0)
    metrics: tuple[str, ...]
    reference: str  #: label of the row that all others are compared with
    rows: Annotated[tuple[tuple[str, Row], ...], BeforeValidator(ordered_pairs)]
    controls: Annotated[tuple[tuple[str, Control], ...], BeforeValidator(ordered_pairs)] = ()
    #: conditions to vary for the whole table
    axis: Annotated[tuple[Axis, ...], BeforeValidator(_as_tuple)] = ()
    #: column of the paper -> slot; ticked if a row fills the slot in the same way as the base
    ticks: Names = ()
    orderings: tuple[Ordering, ...] = ()
    #: largest difference in points of mIoU between rows that count as equal
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
        """Raise `ValueError` if a table without a base changes one."""
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
                f"the reference row {self.reference!r} has no 'system': it cannot be"
                " run for comparison"
            )
        return self

    def unnamed(self) -> "Table":
        """Return the table without the question and the names of parts; they change no trial."""
        orderings = tuple(each.model_copy(update={"part": ""}) for each in self.orderings)
        return self.model_copy(update={"question": "", "orderings": orderings})

    @property
    def built(self) -> tuple[str, ...]:
        """Labels of the rows that have a system; other rows are only printed."""
        return tuple(label for label, row in self.rows if row.system or self.base)

    def claims(self) -> tuple[Claim, ...]:
        """Return every printed number of the table."""
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
