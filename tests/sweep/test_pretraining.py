"""The pre-training is work like any other: resumed after a kill, trained to its end before anything
starts from it.
"""

import shutil

import pytest
from heard import Heard

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.errors import HostError
from msaf_bench.findings.run import summarise_run
from msaf_bench.records import read_records
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.values import to_csv
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.trial import run_trial
from msaf_bench.sweep.workspace import Setting, Workspace

CONDITIONS = read_conditions(
    "smoke",
    "street",
    {"steps": 2, "pretrain_steps": 4, "checkpoint_every": 2, "flow": "none", "consistency": ()},
)
PLAN = make_plan(
    read_table("3").model_copy(update={"reference": "Baseline"}), CONDITIONS, ["Baseline"], 2
)
BEFORE = PLAN.pretraining()


class Killed(BaseException):
    pass


class Mortal(Heard):
    def __init__(self, die_at=None):
        super().__init__()
        self.die_at = die_at

    def step(self, trial, step, loss):
        if trial == BEFORE:
            if step == self.die_at:
                raise Killed
            self.steps.append(step)

    def finished(self, record):
        assert record.state == "done", record.reason


def sweep(folder, die_at=None, resume=False):
    heard = Mortal(die_at)
    run_sweep(PLAN, Setting(Workspace(folder)), heard, resume=resume)
    return heard.steps


def outcome(folder):
    timed = {"seconds": (), "peak_mib": 0.0, "ended": ""}
    records = {
        i: record.model_copy(update=timed) for i, record in read_records(folder / "records").items()
    }
    return records, to_csv(view_of(summarise_run(Workspace(folder), PLAN)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert sweep(folder) == [2, 4]
    return folder


@pytest.fixture
def copied(undisturbed, tmp_path):
    return shutil.copytree(undisturbed, tmp_path / "run")


@pytest.mark.slow
def test_a_killed_pre_training_goes_on_from_its_checkpoint(undisturbed, tmp_path):
    with pytest.raises(Killed):
        sweep(tmp_path, die_at=4)
    assert sweep(tmp_path, resume=True) == [4]
    assert outcome(tmp_path) == outcome(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_damaged_last_checkpoint_is_made_again_and_an_earlier_one_never_taken_for_it(
    undisturbed, copied, suffix
):
    workspace, lost = Workspace(copied), PLAN.trials()[1]
    path = workspace.checkpoints(BEFORE) / f"step-0000004{suffix}"
    content = bytearray(path.read_bytes())
    content[30] ^= 0x80
    path.write_bytes(content)
    (workspace.records / f"{lost.id}.json").unlink()
    shutil.rmtree(workspace.checkpoints(lost))
    with pytest.raises(HostError, match="pre-trained backbone"):
        run_trial(lost, Setting(workspace, start=BEFORE))
    assert sweep(copied, resume=True) == [4]
    assert outcome(copied) == outcome(undisturbed)
