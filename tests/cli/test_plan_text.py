"""The lines that a run and a dry run begin with."""

import subprocess
import sys
from dataclasses import replace

import pytest
from made_records import done

from msaf_bench.ablation import prepare
from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli import main
from msaf_bench.cli.plan_text import plan_lines, stop_line
from msaf_bench.errors import UsageError
from msaf_bench.sweep import executors
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.workspace import Workspace


def prepared(folder, table="3", cluster=None, **options):
    conditions = read_conditions("quick", "street")
    given = {"root": None, "seeds": 5, "rows": (), "controls": True, "speed_processes": 0}
    given |= {"threads": 1, "device": "cpu", "plugins": (), "resume": False, "pictures": False}
    return prepare(
        read_table(table), conditions, cluster=cluster, reports=folder, **(given | options)
    )


@pytest.mark.parametrize(
    ("cluster", "where"),
    [
        (None, "one trial at a time, in this process"),
        (Cluster(workers=2), "2 trials at a time, on Ray"),
        (Cluster("10.0.0.1:6379"), "trials on the Ray cluster at 10.0.0.1:6379"),
    ],
)
def test_a_plan_says_what_how_and_where(tmp_path, monkeypatch, cluster, where):
    monkeypatch.chdir(tmp_path)
    assert plan_lines(prepared(tmp_path / "run", cluster=cluster), resume=False) == [
        "Table 3 on street, preset quick",
        "  65 trials = (9 rows + 4 controls) x 5 seeds, 0 finished",
        "  300 steps each after a common pre-training of 1,500 steps",
        f"  {where}",
        "  writes to run",
    ]


def test_the_points_of_a_table_with_an_axis_are_counted(tmp_path):
    lines = plan_lines(prepared(tmp_path, "when_motion_helps", seeds=1), resume=False)
    assert lines[0] == "when_motion_helps on street, preset quick"
    assert " = 6 points x (" in lines[1]
    assert lines[-1] == f"  writes to {tmp_path}"


def test_the_time_is_said_where_finished_trials_tell_it(tmp_path, monkeypatch):
    ablation = prepared(tmp_path, rows=("Baseline",), controls=False, cluster=Cluster(workers=2))
    records = {t.id: done(t, train=50, score=10) for t in ablation.plan.trials()[:2]}
    monkeypatch.setattr(Workspace, "finished", lambda *_, **__: records)
    lines = plan_lines(ablation, resume=True)
    assert "  10 trials = 2 rows x 5 seeds, 2 finished" in lines
    # 8 trials of a minute, two at a time
    assert "  about 4 min for the missing trials, at the speed of the finished ones" in lines


def test_the_number_at_a_time_is_that_of_the_cores(monkeypatch):
    monkeypatch.setattr(executors.os, "cpu_count", lambda: 8)
    assert [executors.at_once(Cluster(), threads) for threads in (1, 3, 16)] == [8, 2, 1]


@pytest.mark.parametrize(
    ("resumed", "hint"),
    [(True, "the same command"), (False, "the same command with --resume")],
)
def test_the_hint_fits_the_command(resumed, hint):
    assert stop_line(resumed=resumed) == f"  Ctrl-C stops the run; {hint} continues it"


def test_another_run_is_refused_before_the_plan(tmp_path, capsys, monkeypatch):
    def refused(*_, **__):
        raise UsageError("it holds another run")

    monkeypatch.setattr(Workspace, "finished", refused)
    assert main(["ablate", "--table", "3", "--on", "local", "--reports", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "msaf-bench: it holds another run\n"


@pytest.mark.slow
def test_a_plan_is_printed_without_torch():
    code = "import msaf_bench.cli.plan_text, sys; print(sorted({'torch', 'ray'} & {*sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_validation_is_said(tmp_path):
    ablation = prepared(tmp_path)
    changes = {"validate_every": 50, "keep": "best"}
    conditions = read_conditions("quick", "street", changes)
    plan = ablation.plan.model_copy(update={"conditions": conditions})
    lines = plan_lines(replace(ablation, plan=plan), resume=False)
    assert (
        "  validated every 50 steps on a held-out part of the training split; the best weights are"
        " kept"
    ) in lines
