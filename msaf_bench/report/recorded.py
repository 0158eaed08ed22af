"""The systems of a finished run as its records hold them: `models/` may have changed since, and the records stay.

A row or control whose present system has no record takes the one recorded system with the same architecture and the same component in
every slot, whatever their options.
"""

from collections.abc import Iterable, Mapping

from msaf_bench.records import Record, SystemCost, read_kept
from msaf_bench.spec import Conditions, System
from msaf_bench.sweep.cost import read_costs
from msaf_bench.sweep.plan import Plan, Workspace

Shape = tuple[str, tuple[tuple[str, str], ...]]


class RecordedPlan(Plan):
    """A plan with the systems of its records in place of those of `models/`."""

    recorded: tuple[tuple[str, System, Conditions], ...]
    changed: tuple[str, ...]  #: labels whose present system is another

    def systems(self) -> dict[str, System]:
        return {label: system for label, system, _ in self.recorded if label in self.rows}

    def subjects(self) -> dict[str, tuple[System, Conditions]]:
        return {label: (system, conditions) for label, system, conditions in self.recorded}


def as_recorded(plan: Plan, records: Iterable[Record]) -> RecordedPlan:
    """The plan of a run, each row and control with the system that its records hold."""
    there: dict[Conditions, dict[str, System]] = {}
    for record in records:
        there.setdefault(record.trial.conditions, {})[record.trial.system.key] = record.trial.system
    present = plan.subjects()
    found: dict[str, System] = {}
    for conditions in dict.fromkeys(conditions for _, conditions in present.values()):
        wanted = {label: system for label, (system, own) in present.items() if own == conditions}
        found |= _match(wanted, there.get(conditions, {}).values())
    recorded = tuple((label, found[label], conditions) for label, (_, conditions) in present.items())
    changed = tuple(label for label, (system, _) in present.items() if system.key != found[label].key)
    return RecordedPlan(**dict(plan), recorded=recorded, changed=changed)


def recorded_costs(plan: RecordedPlan, workspace: Workspace) -> dict[str, SystemCost]:
    """Cost as published, by row label: of the systems as they were when the run was made."""
    costs = dict(read_costs(plan, workspace))
    missing = {label: system for label, system in plan.systems().items() if label in plan.changed and label not in costs}
    if not missing or plan.table.cost_size is None:
        return costs
    kept = [read_kept(SystemCost, path, "cost", "count it again") for path in sorted(workspace.cost.glob("*.json"))]
    by_name = {cost.system.name: cost for cost in kept}
    return costs | {label: by_name[system.name] for label, system in missing.items() if system.name in by_name}


def changed_note(plan: RecordedPlan) -> tuple[str, ...]:
    """A note on systems that are shown as they were run."""
    if not plan.changed:
        return ()
    return (f"Shown as they were run, since their systems in models/ have changed: {', '.join(plan.changed)}.",)


def _match(wanted: Mapping[str, System], there: Iterable[System]) -> dict[str, System]:
    """Label -> the recorded system, or the present one where none or several fit."""
    recorded = {system.key: system for system in there}
    taken = {system.key for system in wanted.values()}
    by_shape: dict[Shape, list[System]] = {}
    for key, system in recorded.items():
        if key not in taken:
            by_shape.setdefault(_shape(system), []).append(system)
    found: dict[str, System] = {}
    for label, system in wanted.items():
        similar = by_shape.get(_shape(system), [])
        alike = [other for other in wanted.values() if other.key not in recorded and _shape(other) == _shape(system)]
        found[label] = similar[0] if system.key not in recorded and len(similar) == len(alike) == 1 else system
    return found


def _shape(system: System) -> Shape:
    return system.architecture, tuple((slot, choice.use) for slot, choice in system.slots)
