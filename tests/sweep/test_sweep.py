import json
import os
import re
import shutil
import signal
from functools import partial

import pytest
from forked import signalled, start
from heard import Heard

from msaf_bench.analyzers.miou import miou
from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.errors import DataError, LockedError, UsageError
from msaf_bench.host import check_device
from msaf_bench.records import read_record, read_records, write_record
from msaf_bench.sweep import trial as trial_module
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import make_plan, pretraining_of
from msaf_bench.sweep.workspace import Setting, Workspace

CONDITIONS = read_conditions("smoke", "street", {"pretrain_steps": 3})
ROWS = ["Baseline", "w/o DCN"]


def plan(conditions=CONDITIONS, seeds=2, rows=ROWS):
    return make_plan(read_table("3"), conditions, rows, seeds)


def sweep(folder, the_plan=None, **options):
    heard = Heard()
    run_sweep(the_plan or plan(), Setting(Workspace(folder)), heard, **options)
    return heard


def scores(folder):
    """Of the trials, without the pre-training they start from."""
    found = read_records(folder / "records").items()
    return {
        i: (miou(r.confusion.unpack().sum(0)), r.loss)
        for i, r in found
        if r.state == "done" and r.start != "random"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a whole run, and what was heard of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, sweep(folder)


@pytest.fixture(scope="module")
def undisturbed(whole):
    return scores(whole[0])


@pytest.fixture
def run(whole, tmp_path):
    """A copy of the whole run."""
    return shutil.copytree(whole[0], tmp_path / "run")


def test_a_plan_has_every_row_and_seed_and_the_reference():
    trials = plan().trials()
    assert len({t.id for t in trials}) == len(trials) == 6
    assert plan().rows == ("Baseline", "w/o DCN", "MSAF")
    assert [t.seed for t in trials] == [0, 0, 0, 1, 1, 1]


@pytest.mark.slow
def test_records_checkpoints_and_predictions_are_left(whole, undisturbed):
    folder, heard = whole
    assert len(undisturbed) == 6
    assert len(heard.records) == 7
    assert {i for i, _ in heard.steps} >= set(undisturbed)
    workspace = Workspace(folder)
    for trial in plan().trials():
        assert workspace.predictions(trial).exists()
        assert list(workspace.checkpoints(trial).glob("step-0000004.safetensors"))
    records = read_records(folder / "records")
    first = pretraining_of(plan().trials()[0].system, CONDITIONS)
    assert records[first.id].start == "random"
    assert records[first.id].loss[-1][0] == 3
    starts = {r.start for i, r in records.items() if i != first.id}
    assert len(starts) == 1
    assert first.id in starts.pop()
    times = {record.ended for record in records.values()}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)


@pytest.mark.slow
def test_resume_runs_what_is_missing_and_nothing_else(run, undisturbed):
    gone = run / "records" / f"{plan().trials()[2].id}.json"
    gone.unlink()
    with pytest.raises(UsageError, match="--resume"):
        sweep(run)
    heard = sweep(run, resume=True)
    assert [r.trial.id for r in heard.records] == [gone.stem]
    assert scores(run) == undisturbed
    assert sweep(run, resume=True).records == []


@pytest.mark.slow
def test_more_seeds_add_to_a_run(tmp_path, undisturbed):
    sweep(tmp_path, plan(seeds=1))
    assert len(sweep(tmp_path, resume=True).records) == 3
    assert scores(tmp_path) == undisturbed


@pytest.mark.slow
def test_another_run_is_never_overwritten(run, undisturbed):
    with pytest.raises(UsageError, match=r"steps = 4, not 5.*--reports"):
        sweep(run, plan(CONDITIONS.model_copy(update={"steps": 5})), resume=True)
    assert scores(run) == undisturbed


@pytest.mark.slow
def test_a_failing_trial_is_recorded_and_the_others_go_on(tmp_path, monkeypatch):
    plain = trial_module.train

    def failing(net, *args, **options):
        if options["system"].name == "msaf-r50" and net.frames == 1:
            raise RuntimeError("out of luck")
        return plain(net, *args, **options)

    monkeypatch.setattr(trial_module, "train", failing)
    heard = sweep(tmp_path, plan(seeds=1))
    failed = [r for r in heard.records if r.state == "failed"]
    assert len(heard.records) == 4
    assert len(failed) == 1
    assert "out of luck" in failed[0].reason
    monkeypatch.undo()
    assert len(sweep(tmp_path, plan(seeds=1), resume=True).records) == 1


@pytest.mark.slow
def test_weights_that_diverged_fail_their_trial_alone(tmp_path, monkeypatch):
    plain = trial_module.train

    def diverging(net, *args, **options):
        curve = plain(net, *args, **options)
        if net.frames == 1 and options["system"].name != "pretraining":
            next(net.parameters()).data.fill_(float("inf"))
        return curve

    monkeypatch.setattr(trial_module, "train", diverging)
    states = [r.state for r in sweep(tmp_path, plan(seeds=1)).records]
    assert sorted(states) == ["done", "done", "done", "failed"]


@pytest.mark.slow
def test_a_smaller_call_takes_nothing_from_a_run(run):
    sweep(run, plan(seeds=1, rows=["w/o DCN"]), resume=True)
    assert Workspace(run).plan() == plan(seeds=2)


@pytest.mark.slow
def test_trials_on_other_data_are_not_mixed(run):
    for path in (run / "records").glob("*.json"):
        record = read_record(path)
        write_record(run / "records", record.model_copy(update={"data": "other/data"}))
    with pytest.raises(DataError, match="read different data"):
        sweep(run, plan(seeds=3), resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("swap", "message"),
    [
        ({"assign": {"use": "mean", "of": "foo"}}, "did you mean|choose one of"),
        ({"align": {"use": "dcn", "kernel": "three"}}, "row 'x'"),
        ({"motion": {"use": "decoupled", "pyramid": [4, 2]}}, "pyramid"),
    ],
)
def test_a_wrong_value_stops_the_sweep_before_its_first_trial(tmp_path, swap, message):
    table = read_table("3")
    rows = {"MSAF": {}, "x": {"swap": swap}}
    wrong = type(table).model_validate(
        {
            **table.model_dump(include={"name", "title", "source", "base", "metrics", "reference"}),
            "rows": rows,
        }
    )
    with pytest.raises(UsageError, match=message):
        sweep(tmp_path, make_plan(wrong, CONDITIONS))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_more_frames_than_any_row_reads_are_refused(tmp_path):
    for frames, message in (
        (5, "no row reads more than 3"),
        (2, "reads 3 frames, but a clip has 2"),
    ):
        with pytest.raises(UsageError, match=message):
            sweep(tmp_path, plan(CONDITIONS.model_copy(update={"frames": frames})))


def test_rows_of_unequal_backbones_have_no_common_pre_training():
    table = read_table("3")
    rows = {"MSAF": {}, "x": {"swap": {"backbone": "resnet18"}}}
    mixed = type(table).model_validate(
        {
            **table.model_dump(include={"name", "title", "source", "base", "metrics", "reference"}),
            "rows": rows,
        }
    )
    with pytest.raises(UsageError, match="pretrain_steps=0"):
        make_plan(mixed, read_conditions("quick", "street", {"shrink": {}})).pretraining()


@pytest.mark.slow
def test_two_processes_cannot_share_a_folder(tmp_path):
    with Workspace(tmp_path).lock(), pytest.raises(LockedError, match=f"process {os.getpid()}"):
        sweep(tmp_path)


@pytest.mark.slow
def test_what_would_stop_every_trial_stops_the_sweep(tmp_path):
    with pytest.raises(UsageError, match="choose one of: cpu"):
        check_device("cuda:7")
    bad = read_conditions("smoke", "camvid")
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError):
        run_sweep(plan(bad), Setting(Workspace(tmp_path / "run"), tmp_path / "data"), Heard())
    assert not (tmp_path / "run" / "records").exists()


def test_no_seed_and_unknown_rows_are_refused():
    with pytest.raises(UsageError, match="--seeds 0"):
        plan(seeds=0)
    with pytest.raises(UsageError, match="did you mean w/o DCN"):
        plan(rows=["w/o DCM"])


ARGUMENTS = [
    "ablate",
    "--table",
    "3",
    "--preset",
    "smoke",
    "--set",
    "pretrain_steps=3",
    "--seeds",
    "2",
    "--speed",
    "0",
    "--no-controls",
    "--no-pictures",
]
ONLY = [part for row in ROWS for part in ("--rows", row)]


def ended(folder, *options, number=0, after=0):
    """The exit code of a sweep into `folder`/run, and what it said. It may get a signal after so
    many trials.
    """
    arguments = [*ARGUMENTS, *ONLY, "--reports", str(folder / "run"), *options]
    process = start(partial(signalled, arguments, number, after), folder / "out")
    process.join()
    return process.exitcode, (folder / "out").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_killed_driver_and_resume_end_as_an_undisturbed_run(tmp_path, undisturbed, executor):
    on = ("--on", executor)
    code, text = ended(tmp_path, *on, number=signal.SIGKILL, after=3)
    assert code == -signal.SIGKILL, text
    run = tmp_path / "run"
    finished = {p: p.stat().st_mtime_ns for p in (run / "records").glob("*.json")}
    assert 3 <= len(finished) < 7
    code, text = ended(tmp_path, *on, "--resume")
    assert code == 0, text
    assert scores(run) == undisturbed
    assert all(p.stat().st_mtime_ns == when for p, when in finished.items())
    assert (run / "table3.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("on", [("local",), ("ray", "--workers", "1")], ids=lambda on: on[0])
def test_a_signal_stops_the_sweep_and_keeps_what_is_finished(tmp_path, number, code, on):
    found, text = ended(tmp_path, "--on", *on, number=number, after=2)
    assert found == code, text
    assert "--resume" in text
    assert "Traceback" not in text
    assert 2 <= len(read_records(tmp_path / "run" / "records")) < 7


@pytest.mark.slow
def test_the_plan_is_readable_json(whole):
    assert json.loads((whole[0] / "plan.json").read_text())["rows"] == [
        "Baseline",
        "w/o DCN",
        "MSAF",
    ]
    assert Workspace(whole[0]).plan() == plan()
