"""When rows are timed, what is kept, and what is read again."""

import json

import pytest
from heard import Heard

from msaf_bench.analyzers.speed.latency import summarise
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.errors import HostError
from msaf_bench.files import read_kept, write_kept
from msaf_bench.records import Host
from msaf_bench.sweep import row_speeds as speed_module
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.row_speeds import measure_rows, read_speeds
from msaf_bench.sweep.workspace import Setting, Workspace

PLAN = make_plan(read_table("3"), read_conditions("smoke", "street"), ["Baseline", "w/o DCN"], 1)
ROWS = list(PLAN.systems())
EVERYTHING = [(row, mode) for row in ROWS for mode in ("clip", "stream")]


@pytest.fixture
def asked(monkeypatch):
    """What would have been timed, one list a measurement: (row, mode)."""
    calls = []
    labels = {system.key: label for label, system in PLAN.systems().items()}

    def timed(tasks, *, on_note):
        calls.append([(labels[task.system.key], task.conditions.mode) for task in tasks])
        return [
            Speed(**dict(task), host=Host.here(), latency=summarise([2.0, 4.0])) for task in tasks
        ]

    monkeypatch.setattr(speed_module, "measure_speed", timed)
    return calls


@pytest.mark.slow
def test_every_row_is_timed_in_both_modes_and_once_only(asked, tmp_path):
    workspace = Workspace(tmp_path)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    assert asked == [EVERYTHING]
    found = read_speeds(PLAN, workspace)
    assert list(found) == ROWS
    assert [
        (s.conditions.mode, s.conditions.size, s.conditions.processes) for s in found["MSAF"]
    ] == [
        ("clip", (32, 64), 2),
        ("stream", (32, 64), 2),
    ]


@pytest.mark.slow
def test_what_is_missing_or_was_timed_otherwise_is_timed_again(asked, tmp_path):
    workspace = Workspace(tmp_path)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    (workspace.speed / f"{PLAN.systems()['MSAF'].key}-stream.json").unlink()
    asked.clear()
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    assert asked == [[("MSAF", "stream")]]
    asked.clear()
    measure_rows(PLAN, Setting(workspace, threads=2), Heard(), num_classes=11, processes=2)
    assert asked == [EVERYTHING]
    assert all(
        s.conditions.threads == 2
        for speeds in read_speeds(PLAN, workspace).values()
        for s in speeds
    )


@pytest.mark.slow
def test_a_row_that_could_not_be_timed_or_was_on_another_machine_is_timed_again(asked, tmp_path):
    workspace = Workspace(tmp_path)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    systems = PLAN.systems()
    for label, mode, change in (
        ("MSAF", "clip", {"reason": "killed"}),
        ("Baseline", "stream", {"host": Host.here().model_copy(update={"cpu": "another"})}),
    ):
        path = workspace.speed / f"{systems[label].key}-{mode}.json"
        write_kept(path, read_kept(Speed, path, "speed", "time it again").model_copy(update=change))
    asked.clear()
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    assert asked == [[("Baseline", "stream"), ("MSAF", "clip")]]


@pytest.mark.slow
def test_a_time_of_a_process_of_its_own_is_not_one_of_rounds(asked, tmp_path):
    workspace = Workspace(tmp_path)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    path = workspace.speed / f"{PLAN.systems()['MSAF'].key}-clip.json"
    kept = json.loads(path.read_text())
    # as files of earlier versions are, which have no checksum either
    assert kept["conditions"].pop("schedule") == "rounds"
    del kept["checksum"]
    path.write_text(json.dumps(kept))
    asked.clear()
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=2)
    assert asked == [[("MSAF", "clip")]]


@pytest.mark.slow
def test_a_damaged_file_is_named(asked, tmp_path):
    workspace = Workspace(tmp_path)
    measure_rows(PLAN, Setting(workspace), Heard(), num_classes=11, processes=1)
    path = next(workspace.speed.glob("*.json"))
    path.write_text(path.read_text()[:40])
    with pytest.raises(HostError, match=path.name):
        read_speeds(PLAN, workspace)
