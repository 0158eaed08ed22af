"""Systems of a finished run, taken from its records, since `models/` may have changed.

A row or control whose current system has no record takes the recorded system with the same
architecture, architecture options and component in every slot. Starting weights may differ. Among
several matches, the one with the fewest differing component options is taken.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msaf_bench.catalog import list_tables, read_table, systems_of
from msaf_bench.packed import names
from msaf_bench.records import Record, SystemCost
from msaf_bench.spec import Conditions, Options, System, Table
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.row_costs import read_cost, read_costs
from msaf_bench.sweep.workspace import Workspace

Shape = tuple[str, Options, tuple[tuple[str, str], ...]]


class RecordedPlan(Plan):
    """A plan whose systems come from its records instead of `models/`."""

    recorded: tuple[tuple[str, System, Conditions], ...]
    changed: tuple[str, ...]  #: labels whose current system differs from the recorded one

    def systems(self) -> dict[str, System]:
        """Return the recorded systems by row label."""
        return {label: system for label, system, _ in self.recorded if label in self.rows}

    def subjects(self) -> dict[str, tuple[System, Conditions]]:
        """Return the recorded systems and conditions of rows and controls, by label."""
        return {label: (system, conditions) for label, system, conditions in self.recorded}


def as_recorded(plan: Plan, records: Iterable[Record]) -> RecordedPlan:
    """Return the plan with the recorded system of each row and control."""
    ran: dict[Conditions, dict[str, System]] = {}  # systems by key, per conditions
    for record in records:
        ran.setdefault(record.trial.conditions, {})[record.trial.system.key] = record.trial.system
    present = plan.subjects()
    systems: dict[str, System] = {}
    for conditions in dict.fromkeys(conditions for _, conditions in present.values()):
        wanted = {label: system for label, (system, own) in present.items() if own == conditions}
        systems |= _match(wanted, ran.get(conditions, {}).values())
    recorded = tuple(
        (label, systems[label], conditions) for label, (_, conditions) in present.items()
    )
    changed = tuple(
        label for label, (system, _) in present.items() if system.key != systems[label].key
    )
    return RecordedPlan(**dict(plan), recorded=recorded, changed=changed)


def recorded_costs(plan: RecordedPlan, workspace: Workspace) -> dict[str, SystemCost]:
    """Return the cost at the published size of the recorded systems, by row label."""
    costs = dict(read_costs(plan, workspace))
    if not set(plan.rows) & set(plan.changed):
        return costs
    all_costs = [read_cost(workspace.cost / name) for name in names(workspace.cost)]
    by_key = {cost.system.key: cost for cost in all_costs}
    published = {
        label: system for label, system in systems_of(plan.table).items() if label in plan.rows
    }
    systems = _match(published, [cost.system for cost in all_costs])
    return {
        label: by_key[system.key] for label, system in systems.items() if system.key in by_key
    } | costs


def changed_note(plan: RecordedPlan) -> tuple[str, ...]:
    """Return a note that names the systems shown as recorded; empty if none has changed."""
    if not plan.changed:
        return ()
    return (
        (
            "Shown as they were run, because their definitions in models/ have changed since:"
            f" {', '.join(plan.changed)}."
        ),
    )


def with_names(table: Table) -> Table:
    """Return the table with the question and part names of the current table of that name.

    Only tables of old runs that lack both are changed.
    """
    if table.question or any(each.part for each in table.orderings):
        return table
    if table.name not in list_tables():
        return table
    today = read_table(table.name)
    if table.built != today.built:
        return table
    parts = {(each.better, each.worse): each.part for each in today.orderings}
    orderings = tuple(
        each.model_copy(update={"part": parts.get((each.better, each.worse), "")})
        for each in table.orderings
    )
    return table.model_copy(update={"question": today.question, "orderings": orderings})


def _match(wanted: Mapping[str, System], ran: Iterable[System]) -> dict[str, System]:
    """Return the recorded system by label, or the current one unless exactly one fits."""
    recorded = {system.key: system for system in ran}
    taken = {system.key for system in wanted.values()}
    left = [system for key, system in recorded.items() if key not in taken]
    nearest = {
        label: _nearest(system, left)
        for label, system in wanted.items()
        if system.key not in recorded
    }
    times = Counter(system.key for system in nearest.values() if system)
    sure = {label: system for label, system in nearest.items() if system and times[system.key] == 1}
    return {**wanted, **sure}


def _nearest(system: System, others: Iterable[System]) -> System | None:
    """Return the system of the same shape with the most identical slots, options included.

    The name breaks ties between systems that differ only in starting weights. None if no system
    has the shape, or for a remaining tie.
    """
    shape, slots = _shape(system), {*system.trained().slots}
    alike = [
        ((len({*other.trained().slots} & slots), other.name == system.name), other)
        for other in others
        if _shape(other) == shape
    ]
    most = [other for score, other in alike if score == max(score for score, _ in alike)]
    return most[0] if len(most) == 1 else None


def _shape(system: System) -> Shape:
    # Files of starting weights may be deleted or moved, so they are not part of the shape.
    return (
        system.architecture,
        system.trained().options,
        tuple((slot, choice.use) for slot, choice in system.slots),
    )
