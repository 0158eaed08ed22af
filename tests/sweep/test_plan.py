"""What is finished is decided by the records: whatever becomes of `plan.json`, none of them is made
again.
"""

import json
from contextlib import nullcontext

import numpy as np
import pytest

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli import main
from msaf_bench.errors import BenchError, HostError, UsageError
from msaf_bench.files import write_kept
from msaf_bench.records import Host, Matrices, Record, write_record
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.events import Silent
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.points import keep_study
from msaf_bench.sweep.workspace import Setting, Workspace

TABLE = read_table("3")
CONDITIONS = read_conditions("smoke", "street")
PLAN = make_plan(TABLE, CONDITIONS, ["Baseline", "w/o DCN"], 2)


class Untrained(Silent):
    """Events of a sweep in which nothing may be trained."""

    def step(self, trial, step, loss):
        raise AssertionError(f"{trial.id} is trained again")

    finished = step


def record(trial):
    counts = Matrices.pack(np.full((2, 11, 11), 1 + trial.seed, np.int64))
    names = tuple(f"class {i}" for i in range(11))
    return Record(
        trial=trial,
        state="done",
        host=Host.here(),
        data="abc",
        class_names=names,
        confusion=counts,
        loss=((1, 1.5),),
    )


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run, whose records nobody could make again: their numbers are
    invented.
    """
    workspace = Workspace(tmp_path / "run")
    workspace.keep(PLAN)
    for trial in PLAN.trials():
        write_record(workspace.records, record(trial))
    return workspace


def held(workspace):
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in workspace.records.iterdir()
    }


def missing(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def empty(path):
    path.write_bytes(b"")


def not_utf8(path):
    content = bytearray(path.read_bytes())
    content[100] ^= 0x80
    path.write_bytes(content)


def a_folder(path):
    path.unlink()
    path.mkdir()


def unknown_row(path):
    content = json.loads(path.read_text())
    content["rows"].append("nope")
    del content["checksum"]
    path.write_text(json.dumps(content))


def unknown_control(path):
    content = json.loads(path.read_text())
    content["controls"] = ["nope"]
    del content["checksum"]
    path.write_text(json.dumps(content))


def absurd_seeds(path):
    content = json.loads(path.read_text())
    content["seeds"] = 200_000_000
    del content["checksum"]
    path.write_text(json.dumps(content))


DAMAGES = [absurd_seeds, cut, empty, not_utf8, a_folder, unknown_row, unknown_control]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [missing, *DAMAGES])
@pytest.mark.parametrize("resume", [False, True])
def test_no_record_is_made_again_whatever_became_of_the_plan(run, damage, resume):
    before = held(run)
    damage(run.folder / "plan.json")
    made_again = damage is missing and resume
    with nullcontext() if made_again else pytest.raises(BenchError, match="--resume"):
        run_sweep(PLAN, Setting(run), Untrained(), resume=resume)
    if made_again:
        assert run.plan() == PLAN
    assert held(run) == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_the_message_says_leads_out(run, damage, capsys):
    path, before = run.folder / "plan.json", held(run)
    damage(path)
    for command in (["report", str(run.folder)], ["compare", str(run.folder), str(run.folder)]):
        assert main(command) == 5
        said = capsys.readouterr().err
        assert str(path) in said
        assert "move it away" in said
        assert "--resume" in said
    path.rename(path.with_suffix(".away"))
    run_sweep(PLAN, Setting(run), Untrained(), resume=True)
    assert run.plan() == PLAN
    assert held(run) == before


def test_an_unknown_row_is_named(run):
    unknown_row(run.folder / "plan.json")
    with pytest.raises(HostError, match=r"plan.json: .*unknown row 'nope'"):
        run.plan()


def test_without_a_plan_a_report_says_how_to_get_one(run, tmp_path, capsys):
    (run.folder / "plan.json").unlink()
    assert main(["report", str(run.folder)]) == 2
    assert "plan.json is missing" in (said := capsys.readouterr().err)
    assert "--resume" in said
    assert main(["report", str(tmp_path / "nothing")]) == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_smaller_command_without_a_plan_loses_no_row_and_no_seed(run):
    (run.folder / "plan.json").unlink()
    run_sweep(make_plan(TABLE, CONDITIONS, ["Baseline"], 1), Setting(run), Untrained(), resume=True)
    assert run.plan() == PLAN


@pytest.mark.slow
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            make_plan(TABLE, CONDITIONS.model_copy(update={"steps": 5}), ["Baseline"], 1),
            "another run .steps = 4, not 5",
        ),
        (
            make_plan(TABLE, CONDITIONS.model_copy(update={"preset": "mine", "steps": 5}), seeds=1),
            "smoke, not mine",
        ),
    ],
)
def test_records_of_another_run_are_refused_without_a_plan_too(run, other, message, resume):
    (run.folder / "plan.json").unlink()
    before = held(run)
    with pytest.raises(UsageError, match=message):
        run_sweep(other, Setting(run), Untrained(), resume=resume)
    assert held(run) == before


def test_a_record_of_an_absurd_seed_is_refused_and_not_counted_up_to(run):
    trial = PLAN.trials()[0].model_copy(update={"seed": 999_999_999})
    write_record(run.records, record(trial))
    (run.folder / "plan.json").unlink()
    with pytest.raises(UsageError, match="seed 999999999"):
        run.finished(PLAN, resume=True)


@pytest.mark.slow
def test_a_study_without_its_plan_is_refused_like_one_with(tmp_path):
    study = Workspace(tmp_path)
    point = Workspace(tmp_path / "points" / "occluders-0")
    write_record(point.records, record(PLAN.trials()[0]))
    with pytest.raises(UsageError, match="--resume"):
        keep_study(PLAN, study, resume=False)
    with pytest.raises(UsageError, match="plan.json is missing"):
        study.plan()
    keep_study(PLAN, study, resume=True)
    assert study.plan() == PLAN


def test_a_plan_of_an_earlier_version_is_read(tmp_path):
    plan = PLAN.model_copy(
        update={"conditions": CONDITIONS.model_copy(update={"consistency": ("clean",)})}
    )
    write_kept(tmp_path / "plan.json", plan)
    content = json.loads((tmp_path / "plan.json").read_text())
    del content["checksum"]
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert Workspace(tmp_path).plan() == plan
