"""A finished run is shown as its records hold it, though `models/` has changed since."""

import json

import pytest

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.findings.recorded import as_recorded, changed_note
from msaf_bench.findings.run import summarise_run
from msaf_bench.records import write_record
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Workspace


def older(trial):
    """The trial of the same row when its DCN had an option of another value."""
    slots = {
        slot: choice.model_copy(update={"options": ()}) if slot == "align" else choice
        for slot, choice in trial.system.slots
    }
    return trial.model_copy(update={"system": trial.system.swap(tuple(slots.items()))})


@pytest.mark.slow
def test_a_changed_system_keeps_its_records(tmp_path, make):
    record = None

    def keep(records, _):
        nonlocal record
        record = next(iter(records.values()))
        return records

    make(seeds=[0], change=keep)
    plan = make_plan(
        read_table("3"),
        read_conditions("smoke", "street"),
        rows=["Baseline", "MSAF", "w/o DCN"],
        seeds=2,
        controls=True,
    )
    workspace = Workspace(tmp_path)
    workspace.keep(plan)
    for trial in plan.trials():
        write_record(workspace.records, record.model_copy(update={"trial": older(trial)}))
    recorded = as_recorded(
        plan, [record.model_copy(update={"trial": older(trial)}) for trial in plan.trials()]
    )
    present = {label: system for label, (system, _) in plan.subjects().items()}
    assert recorded.changed == tuple(
        label for label in present if dict(present[label].slots)["align"].options
    )
    assert "MSAF" in recorded.changed
    assert {label: conditions for label, (_, conditions) in recorded.subjects().items()} == {
        label: conditions for label, (_, conditions) in plan.subjects().items()
    }
    summary = summarise_run(workspace, plan)
    assert {row.state for row in summary.subjects} == {"done"}
    assert summary.notes[-1] == changed_note(recorded)[0]
    assert "MSAF" in summary.notes[-1]
    assert json.loads((tmp_path / "plan.json").read_text())["seeds"] == 2


def test_an_unchanged_plan_is_as_it_was(make):
    plan = make_plan(read_table("3"), read_conditions("smoke", "street"), seeds=2, controls=True)
    recorded = as_recorded(plan, [])
    assert (recorded.systems(), recorded.subjects(), recorded.changed, changed_note(recorded)) == (
        plan.systems(),
        plan.subjects(),
        (),
        (),
    )
    assert [t.id for t in recorded.trials()] == [t.id for t in plan.trials()]
