"""A search: which attempts there are, as data. No torch here.

An attempt is a trial of one row with some values of the space, scored on a part of the training
split that training leaves out. Attempt 0 of a row has the values that the row has anyway.
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

SEED = 2_000_003  #: of every attempt; far from any trial's, so that no row is tuned to a seed of it
MOST = 200  #: attempts for a row
AXIS = "axis"  #: the name of the space that a table's own axis makes
State = Literal["begun", "done", "stopped", "failed"]
Values = dict[str, Option]


class Attempt(Spec):
    """One row with some values; `attempts/ID.json`."""

    row: str
    number: int
    values: Dotted
    trial: Trial
    state: State = "begun"
    curve: tuple[tuple[int, float], ...] = ()  #: (steps done, mIoU in percent)
    reason: str = ""  #: why it failed
    dead: tuple[str, ...] = ()  #: parts that are not live

    @property
    def miou(self) -> float | None:
        """The mIoU in percent at its end; None where it was stopped or failed."""
        return self.curve[-1][1] if self.state == "done" and self.curve else None

    @property
    def steps(self) -> int:
        """Steps that were trained, as far as it was validated."""
        return self.curve[-1][0] if self.curve else 0


class Search(Spec):
    """What is searched, and how: `search.json`."""

    plan: Plan  #: the rows as they are, under the conditions of a search, with one seed
    space: Space
    trials: int = Field(ge=1, le=MOST)  #: attempts for each row, the row as it is among them
    method: Method = "random"
    stopping: Stopping = "none"
    seed: int = Field(0, ge=0, lt=2**32)  #: of the values that are drawn
    conditions: str  #: key of the conditions that the tuned table is run under

    @cached_property
    def spans(self) -> Mapping[str, Mapping[str, Span]]:
        """What is searched of each row, by label."""
        return {label: self.space.of(label) for label in self.plan.rows}

    @property
    def attempts(self) -> int:
        """Number of attempts of all rows."""
        return self.trials * len(self.plan.rows)

    def present(self, label: str) -> Values:
        """Return the values that a row has without a search, of those names that have one."""
        system, conditions = self.plan.subjects()[label]
        known = {name: _present(name, system, conditions) for name in self.spans[label]}
        return {name: value for name, value in known.items() if value is not None}

    def attempt(self, label: str, number: int, values: Mapping[str, Option]) -> Attempt:
        """Return an attempt that has not begun. Raises `UsageError` for values that the row cannot
        have.
        """
        plan = self.with_rows({label: values})
        system, conditions = plan.subjects()[label]
        named = system.model_copy(update={"name": f"{label}, attempt {number}"})  # for trackers
        trial = Trial(system=named, conditions=conditions, seed=SEED)
        return Attempt(row=label, number=number, values=tuple(sorted(values.items())), trial=trial)

    def with_rows(self, values: Mapping[str, Mapping[str, Option]]) -> Plan:
        """Return the plan whose rows have these values, by label."""
        table = self.plan.table
        rows = tuple(
            (label, with_values(row, values[label]) if label in values else row)
            for label, row in table.rows
        )
        return self.plan.model_copy(update={"table": table.model_copy(update={"rows": rows})})


def search_plan(plan: Plan, rungs: int) -> Plan:
    """Return a plan under the conditions of a search: validated so many times in a training, scored
    where it is validated, without temporal consistency.

    Raises `UsageError` where the conditions already score or hold out something else.
    """
    conditions = plan.conditions
    if conditions.scored != "score" or conditions.validate_every:
        raise UsageError(
            "a search scores the part of the training split that validation holds out; leave"
            " scored and validate_every out"
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
    """Return the space of the values of an axis. Raises `UsageError` for an axis over something
    else than the training or the architecture.
    """
    name = axis.of.replace("shrink_options.", f"{OPTIONS}.", 1)
    if axis.also:
        raise UsageError(f"axis {axis.of} moves other conditions too; write a search space")
    try:
        return Space.model_validate({"name": AXIS, "search": {name: {"values": axis.values}}})
    except ValueError as error:
        raise UsageError(
            f"axis {axis.of} is no condition of the training, so no search space; tune every point"
            " of it with --space FILE"
        ) from error


def check_space(search: Search) -> None:
    """Raises `UsageError` for a row or name of the space that the table does not have, and for a
    factor of a value that the row leaves to the code.
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
                        f"{place} has no slot {first!r}, it has {', '.join(slots)}; {_ELSEWHERE}"
                    )
                if slots[first].use == NONE:
                    raise UsageError(f"{place} has nothing in its slot {first!r}; {_ELSEWHERE}")
            if span.factor and not isinstance(present.get(name), int | float):
                raise UsageError(f"{place} does not say its value; write log in place of factor")
            if span.factor and not present[name]:
                raise UsageError(f"{place} has 0, which no factor changes; write log or leave it")


_ELSEWHERE = 'search it below [rows."..."] of the rows that have it'


def _present(name: str, system: System, conditions: Conditions) -> Option | None:
    first, _, rest = name.partition(".")
    if first in Conditions.model_fields:
        value = getattr(conditions, first)
        return dict(value).get(rest, 1.0) if rest else value
    if first == OPTIONS:
        return dict(system.options).get(rest)
    slots = dict(system.slots)
    return dict(slots[first].options).get(rest) if first in slots else None
