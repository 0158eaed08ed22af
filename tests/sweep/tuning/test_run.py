"""A search that runs: attempts on disk, resumption, the best of them, and the tuned table."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from heard import Heard

from msaf_bench.catalog import read_conditions, read_table, read_tuned
from msaf_bench.errors import UsageError
from msaf_bench.findings.run import load_run
from msaf_bench.report.outcome import render
from msaf_bench.spec.search import Space
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import UNTUNED, make_plan, with_tuned
from msaf_bench.sweep.tuning.attempts import read_attempts
from msaf_bench.sweep.tuning.run import found
from msaf_bench.sweep.workspace import Setting, Workspace
from msaf_bench.tuning import prepare, run

pytestmark = pytest.mark.slow
SMOKE = read_conditions("smoke", "street")
SPACE = Space.model_validate({"name": "own", "search": {"lr": {"log": [1e-4, 0.1]}}})
TABLE = read_table("3").model_copy(update={"reference": "Baseline"})


def tuning_in(folder, trials=3, table=TABLE, rows=("Baseline", "w/o Motion"), **how):
    plan = make_plan(table, SMOKE, rows, 1)
    given = {
        "space": SPACE, "method": "random", "stopping": "none", "rungs": 2, "seed": 0,
        "cluster": None, "resume": False,
    }  # fmt: skip
    setting = Setting(Workspace(folder))
    return prepare(plan, setting, trials=trials, **given | how)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("search")
    heard = Heard()
    return folder, run(tuning_in(folder), heard), heard


def test_every_row_gets_its_attempts_and_the_best_is_found(searched):
    folder, outcome, _ = searched
    attempts = read_attempts(Workspace(folder))
    assert [(each.row, each.number) for each in attempts] == [
        (row, number) for row in ("Baseline", "w/o Motion") for number in range(3)
    ]
    assert {each.state for each in attempts} == {"done"}
    assert [step for step, _ in attempts[0].curve] == [2, 4]
    for label, row in outcome.tuned.rows:
        own = [each.miou for each in attempts if each.row == label]
        assert row.attempts == pytest.approx(own, abs=1e-3)
        assert (row.miou, row.default) == pytest.approx((max(own), own[0]), abs=1e-3)
        assert row.steps == 3 * SMOKE.steps
    assert outcome.without == ()


def test_the_objective_is_the_last_validation(searched):
    """The record's mIoU is of the same clips as the validation while training."""
    folder, _, heard = searched
    last = {trial: miou for trial, step, miou in heard.validations if step == SMOKE.steps}
    for attempt in read_attempts(Workspace(folder)):
        assert attempt.miou == pytest.approx(last[attempt.trial.id], abs=1e-6)


def test_the_file_says_what_was_found(searched):
    _, outcome, _ = searched
    again = read_tuned(outcome.path)
    for (label, row), (other, kept) in zip(again.rows, outcome.tuned.rows, strict=True):
        assert (label, row.values) == (other, kept.values)
        assert row.attempts == pytest.approx(kept.attempts, abs=1e-3)


def test_a_search_goes_on_only_where_it_is_told_to(searched):
    folder, outcome, _ = searched
    with pytest.raises(UsageError, match="holds 6 attempts of this search; add --resume"):
        run(tuning_in(folder), Heard())
    with pytest.raises(UsageError, match="holds another search"):
        run(tuning_in(folder, trials=4, resume=True), Heard())
    heard = Heard()
    assert run(tuning_in(folder, resume=True), heard).tuned == outcome.tuned
    assert heard.steps == []


def test_a_killed_search_keeps_its_attempts_and_finds_the_same(searched, tmp_path):
    _, outcome, _ = searched
    process = multiprocessing.get_context("fork").Process(target=_quietly, args=(tmp_path,))
    process.start()
    end = time.monotonic() + 120
    while sum(each.state == "done" for each in read_attempts(Workspace(tmp_path))) < 2:
        assert time.monotonic() < end
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = [each for each in read_attempts(Workspace(tmp_path)) if each.state == "done"]
    heard = Heard()
    again = run(tuning_in(tmp_path, resume=True), heard)
    ran_again = {trial for trial, _ in heard.steps}
    assert ran_again.isdisjoint(each.trial.id for each in before)
    assert again.tuned == outcome.tuned


def _quietly(folder):
    torch.set_num_threads(1)
    run(tuning_in(folder), Heard())


def test_the_tuned_table_is_run_beside_the_default_one(searched, tmp_path):
    _, outcome, _ = searched
    tuned = read_tuned(outcome.path)
    plan = with_tuned(make_plan(TABLE, SMOKE, ("Baseline", "w/o Motion"), 2), tuned)
    changed = [label for label, row in tuned.rows if row.values]
    labels = list(plan.labels().values())
    assert sorted(set(labels)) == sorted(
        ["Baseline", "w/o Motion", *(label + UNTUNED for label in changed)]
    )
    workspace = Workspace(tmp_path)
    run_sweep(plan, Setting(workspace), Heard())
    view = render(workspace, None).result
    found_rows = {row.tuned.label: row for row in view.tuning.tuning.rows}
    run_ = load_run(tmp_path)
    for label in changed:
        row = found_rows[label]
        trials = {r.trial.id: r.trial for r in run_.records.values()}
        own = {trials[outcome.trial].conditions.lr for outcome in row.tuned.runs}
        assert own == {dict(row.found.values)["lr"]}
        assert {trials[each.trial].conditions.lr for each in row.default.runs} == {SMOKE.lr}
        assert row.gain.interval.mean == pytest.approx(
            row.tuned.interval.mean - row.default.interval.mean
        )
    pages = {path.name: path.read_text() for path in tmp_path.glob("table3*") if path.is_file()}
    assert "Default beside tuned" in pages["table3.html"]
    assert "Default beside tuned" in pages["table3.md"]
    assert '"expected_best"' in pages["table3.json"]
    assert pages["table3_tuning.csv"].count("\n") == 3
    assert (tmp_path / "figures" / "table3_tuning.svg").exists()
    with pytest.raises(UsageError, match="rows that are tuned otherwise"):
        run_sweep(make_plan(TABLE, SMOKE, ("w/o Motion",), 2), Setting(workspace), Heard())


def test_a_table_with_an_axis_is_tuned_at_every_point(tmp_path):
    axis = {"of": "data_options.occluders", "values": [0.0, 1.0]}
    table = type(TABLE).model_validate({**TABLE.model_dump(), "axis": axis})
    outcome = run(tuning_in(tmp_path, 2, table, ("Baseline",)), Heard())
    points = dict(outcome.tuned.points)
    assert list(points) == ["occluders-0.0", "occluders-1.0"]
    plan = make_plan(table, SMOKE, ("Baseline",), 1)
    from msaf_bench.sweep.points import points_of

    of_points = points_of(with_tuned(plan, read_tuned(outcome.path)), Workspace(tmp_path / "run"))
    for point in of_points:
        wanted = dict(dict(points[point.workspace.folder.name])["Baseline"].values)
        lr = {own.lr for _, own in point.plan.subjects().values()}
        assert lr == {wanted.get("lr", SMOKE.lr)}


def test_a_row_whose_attempts_all_fail_is_left_out(searched):
    folder, _, _ = searched
    search = tuning_in(folder).parts[0].search
    attempts = [
        each.model_copy(update={"state": "failed"}) if each.row == "Baseline" else each
        for each in read_attempts(Workspace(folder))
    ]
    assert list(found(search, attempts)) == ["w/o Motion"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "table2"}, "tuned with table table2, but this run uses table3; tune again"),
        ({"data": "camvid"}, "tuned with data camvid"),
        ({"preset": "quick"}, "tuned with preset quick"),
    ],
)
def test_what_was_tuned_elsewhere_is_refused(searched, change, said):
    _, outcome, _ = searched
    plan = make_plan(TABLE, SMOKE, ("Baseline",), 1)
    with pytest.raises(UsageError, match=said):
        with_tuned(plan, outcome.tuned.model_copy(update=change))


def test_stopping_needs_ray(tmp_path):
    tuning = tuning_in(tmp_path, stopping="asha")
    with pytest.raises(UsageError, match="--stopping asha needs Ray"):
        run(replace(tuning, cluster=None), Heard())
