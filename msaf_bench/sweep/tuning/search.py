"""A hyper-parameter search and its attempts, as data. No torch here.

An attempt is a trial of one row with values from the space, scored on a held-out part of the
training split. Attempt 0 is the unchanged row.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import Field

from msaf_bench.catalog import conditions_of
from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec import Axis, Conditions, Option, Spec, System, Trial
from msaf_bench.spec.search import OPTIONS, Method, Space, Span, Stopping, with_values
from msaf_bench.spec.stand_ins import NONE
from msaf_bench.spec.values import Dotted
from msaf_bench.sweep.plan import Plan

SEED = 2_000_003  #: seed of every attempt; no trial has it, so that no row is tuned to its own seed
MOST = 200  #: maximum number of attempts per row
AXIS = "axis"  #: name of the space made from a table's own axis
State = Literal["begun", "done", "stopped", "failed"]
Values = dict[str, Option]


class Attempt(Spec):
    """One row with some values, stored as `attempts/ID.json`."""

    row: str
    number: int
    values: Dotted
    trial: Trial
    state: State = "begun"
    curve: tuple[tuple[int, float], ...] = ()  #: (steps done, mIoU in percent)
    reason: str = ""  #: reason of the failure
    dead: tuple[str, ...] = ()  #: parts that are not live

    @property
    def miou(self) -> float | None:
        """Final mIoU in percent; None if the attempt was stopped or failed."""
        return self.curve[-1][1] if self.state == "done" and self.curve else None

    @property
    def steps(self) -> int:
        """Number of steps trained up to the last validation."""
        return self.curve[-1][0] if self.curve else 0


class Search(Spec):
    """A hyper-parameter search, stored as `search.json`."""

    plan: Plan  #: the unchanged rows under the conditions of the search, with one seed
    space: Space
    trials: int = Field(ge=1, le=MOST)  #: attempts per row, including the unchanged row
    method: Method = "random"
    stopping: Stopping = "none"
    seed: int = Field(0, ge=0, lt=2**32)  #: seed of the drawn values
    conditions: str  #: key of the conditions of the tuned table

    @cached_property
    def spans(self) -> Mapping[str, Mapping[str, Span]]:
        """Spans to search for each row, by label and name."""
        return {label: self.space.of(label) for label in self.plan.rows}

    @property
    def attempts(self) -> int:
        """Number of attempts of all rows."""
        return self.trials * len(self.plan.rows)

    def present(self, label: str) -> Values:
        """Return the values of the unchanged row, for the searched names that it sets."""
        system, conditions = self.plan.subjects()[label]
        known = {name: _present(name, system, conditions) for name in self.spans[label]}
        return {name: value for name, value in known.items() if value is not None}

    def attempt(self, label: str, number: int, values: Mapping[str, Option]) -> Attempt:
        """Return a new attempt. Raises `UsageError` if the row cannot have these values."""
        plan = self.with_rows({label: values})
        system, conditions = plan.subjects()[label]
        named = system.model_copy(update={"name": f"{label}, attempt {number}"})  # name in trackers
        trial = Trial(system=named, conditions=conditions, seed=SEED)
        return Attempt(row=label, number=number, values=tuple(sorted(values.items())), trial=trial)

    def with_rows(self, values: Mapping[str, Mapping[str, Option]]) -> Plan:
        """Return the plan with these values of its rows, by label."""
        table = self.plan.table
        rows = tuple(
            (label, with_values(row, values[label]) if label in values else row)
            for label, row in table.rows
        )
        return self.plan.model_copy(update={"table": table.model_copy(update={"rows": rows})})


def search_plan(plan: Plan, rungs: int) -> Plan:
    """Return a plan under the conditions of a search.

    A training is validated `rungs` times and scored on the validation clips, without temporal
    consistency. Raises `UsageError` if the conditions already change scoring or validation.
    """
    conditions = plan.conditions
    if conditions.scored != "score" or conditions.validate_every:
        raise UsageError(
            "a search scores the part of the training split held out for validation; omit"
            " scored and validate_every"
        )
    least = min(own.steps for own in conditions_of(plan.table, conditions).values())
    own = {
        "scored": "validate",
        "validate_every": max(1, least // rungs),
        "flow": "none",
        "consistency": (),
        "keep": "last",
    }
    searched = conditions.model_copy(update=own)
    return plan.model_copy(update={"conditions": searched, "seeds": 1, "controls": ()})


def axis_space(axis: Axis) -> Space:
    """Return the search space of an axis.

    Raises `UsageError` if the axis changes anything but one value of training or architecture.
    """
    name = axis.of.replace("shrink_options.", f"{OPTIONS}.", 1)
    if axis.also:
        raise UsageError(f"axis {axis.of} changes other conditions too; write a search space")
    try:
        return Space.model_validate({"name": AXIS, "search": {name: {"values": axis.values}}})
    except ValueError as error:
        raise UsageError(
            f"axis {axis.of} is not a condition of the training and cannot be searched; tune each"
            " of its points with --space FILE"
        ) from error


def check_space(search: Search) -> None:
    """Raise `UsageError` if the search space does not fit the table.

    Checked are its rows and names, and that a factor applies to a value that the row sets.
    """
    space = search.space
    for label, _ in space.rows:
        one_of(f"row in search space {space.name}", label, dict(search.plan.table.rows))
    for label, spans in search.spans.items():
        system, _ = search.plan.subjects()[label]
        slots, present = dict(system.slots), search.present(label)
        for name, span in spans.items():
            place = f"search space {space.name}: {name}: row {label!r}"
            first, _, rest = name.partition(".")
            if rest and first not in Conditions.model_fields and first != OPTIONS:
                if first not in slots:
                    raise UsageError(
                        f"{place} has no slot {first!r}, only {', '.join(slots)}; {_ELSEWHERE}"
                    )
                if slots[first].use == NONE:
                    raise UsageError(f"{place} has nothing in its slot {first!r}; {_ELSEWHERE}")
            if span.factor and not isinstance(present.get(name), int | float):
                raise UsageError(f"{place} does not set this value; use log instead of factor")
            if span.factor and not present[name]:
                raise UsageError(f"{place} has 0, which no factor changes; use log or omit it")


_ELSEWHERE = 'search it under [rows."..."] of the rows that have it'


def _present(name: str, system: System, conditions: Conditions) -> Option | None:
    first, _, rest = name.partition(".")
    if first in Conditions.model_fields:
        value = getattr(conditions, first)
        return dict(value).get(rest, 1.0) if rest else value
    if first == OPTIONS:
        return dict(system.options).get(rest)
    slots = dict(system.slots)
    return dict(slots[first].options).get(rest) if first in slots else None
