"""Search spaces of a table's rows, and the results of a search. No torch here.

A name is a condition of the row's training (`lr`, `rates.offset`), an option of its architecture
(`options.width`) or an option of the component in a slot (`motion.heads`).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from msaf_bench.errors import one_of
from msaf_bench.spec.conditions import OF_A_ROW, Conditions
from msaf_bench.spec.tables import Row, Table
from msaf_bench.spec.values import Dotted, Option, Spec, ordered_pairs

OPTIONS = "options"  #: first part of the names of the architecture's options
BUDGET = "steps"  #: condition with the same value in every row
Number = int | float
Bounds = tuple[Number, Number]
Method = Literal["random", "optuna"]
Stopping = Literal["none", "asha", "median"]


class Span(Spec):
    """Values to try under one name: exactly one of four kinds."""

    between: Bounds | None = None  #: uniform; integers if both bounds are integers
    log: Bounds | None = None  #: uniform on a logarithmic scale
    #: multiples of the row's value without a search, uniform on a logarithmic scale
    factor: Bounds | None = None
    values: tuple[Option, ...] = ()  #: list of values

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"give one of between, log, factor and values, not {' and '.join(given) or 'none'}"
            )
        if self.values and len(set(map(repr, self.values))) < 2:
            raise ValueError("values: give two or more that differ")
        for name, bounds in (("between", self.between), ("log", self.log), ("factor", self.factor)):
            if bounds and not bounds[0] < bounds[1]:
                raise ValueError(f"{name}: {list(bounds)} is not a range; write [low, high]")
            if bounds and name != "between" and bounds[0] <= 0:
                raise ValueError(f"{name}: a logarithmic scale has no {bounds[0]:g}; start above 0")
        return self

    def at(self, share: float, present: Option | None = None) -> Option:
        """Return the value at a share of the span, in [0, 1).

        `present` is the row's value without a search, for a factor to multiply.
        """
        if self.values:
            return self.values[int(share * len(self.values))]
        if self.between:
            low, high = self.between
            if isinstance(low, int) and isinstance(high, int):
                return low + int(share * (high - low + 1))
            return low + share * (high - low)
        bounds = self.log or self.factor
        assert bounds is not None
        value = bounds[0] * (bounds[1] / bounds[0]) ** share
        if self.factor:
            assert isinstance(present, int | float)
            value *= present
        return float(f"{value:.4g}")

    def extremes(self, present: Option | None = None) -> tuple[Option, ...]:
        """Return the values to try in a check: the bounds, or all values of a list."""
        if self.values:
            return self.values
        return self.at(0.0, present), self.at(1 - 1e-9, present)


Spans = Annotated[tuple[tuple[str, Span], ...], BeforeValidator(ordered_pairs)]
RowSpans = Annotated[tuple[tuple[str, Spans], ...], BeforeValidator(ordered_pairs)]


def check_name(name: str) -> None:
    """Raise `ValueError` for a name that cannot be searched."""
    first, _, rest = name.partition(".")
    if name == BUDGET:
        raise ValueError(f"{name}: every row gets the same number of steps; leave it out")
    if first not in OF_A_ROW and (not rest or first in Conditions.model_fields):
        one_of(f"condition (or options.{first}, or SLOT.{first})", first, OF_A_ROW)


class Space(Spec):
    """Search space, from one TOML file."""

    name: str
    search: Spans = ()  #: spans for every row
    rows: RowSpans = ()  #: further spans for single rows, by label; they take precedence

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for spans in (self.search, *(own for _, own in self.rows)):
            for name, _ in spans:
                check_name(name)
        if not self.search and not self.rows:
            raise ValueError("nothing is searched; write [search] with a name and its span")
        return self

    def of(self, label: str) -> dict[str, Span]:
        """Return the spans of a row, by name."""
        return {**dict(self.search), **dict(dict(self.rows).get(label, ()))}


def with_values(row: Row, values: Mapping[str, Option]) -> Row:
    """Return the row with these values, by name; they replace its own values."""
    conditions, options = dict(row.conditions), dict(row.options)
    parts = {slot: dict(own) for slot, own in row.parts}
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if first in OF_A_ROW:
            conditions[name] = value
        elif first == OPTIONS:
            options[rest] = value
        else:
            parts.setdefault(first, {})[rest] = value
    changed = {"conditions": conditions, "options": options, "parts": parts}
    return Row.model_validate({**row.model_dump(), **changed})


def tuned_table(table: Table, rows: Mapping[str, "TunedRow"]) -> Table:
    """Return the table with the found values in its rows.

    Raises `UsageError` for an unknown row.
    """
    for label in rows:
        one_of("row", label, table.built)
    changed = tuple(
        (label, with_values(row, dict(rows[label].values)) if label in rows else row)
        for label, row in table.rows
    )
    return table.model_copy(update={"rows": changed})


class TunedRow(Spec):
    """Result of the search for one row."""

    values: Dotted = ()  #: best values; empty: the row's own values are best
    miou: float  #: mIoU of the best attempt in percent, on the part held out of training
    default: float | None = None  #: mIoU of the unchanged row in percent, on the same part
    #: mIoU of every attempt that finished training, in the order of the search
    attempts: tuple[float, ...]
    stopped: int = 0  #: number of attempts stopped early
    failed: int = 0
    steps: int  #: training steps of all attempts
    dead: tuple[str, ...] = ()  #: parts that were not live in the best attempt

    @property
    def shown(self) -> str:
        """Best values as text; empty if the row's own values are best."""
        return ", ".join(f"{name} {value}" for name, value in self.values)


TunedRows = Annotated[tuple[tuple[str, TunedRow], ...], BeforeValidator(ordered_pairs)]
TunedPoints = Annotated[tuple[tuple[str, TunedRows], ...], BeforeValidator(ordered_pairs)]


class Tuned(Spec):
    """Outcome of a search: `tuned.toml`."""

    name: str
    table: str
    data: str
    preset: str
    space: str  #: name of the search space
    trials: int = Field(ge=1)  #: attempts per row
    method: Method
    stopping: Stopping
    seed: int
    conditions: str  #: key of the rows' conditions without a search
    scored: str = ""  #: data used to score the attempts, in words
    rows: TunedRows = ()
    points: TunedPoints = ()  #: rows of each point, by its folder, for a table with an axis

    def rows_of(self, point: str = "") -> dict[str, TunedRow]:
        """Return the results by label; `point` selects one point of a table with an axis.

        Raises `UsageError` for a point that was not searched.
        """
        if not point:
            return dict(self.rows)
        points = dict(self.points)
        return dict(points[one_of("point of the search", point, points)])
