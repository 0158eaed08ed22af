"""Gates on what changed from one run to another, in the made-up run and through the command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import some_seeds

from msaf_bench.analyzers.speed.latency import summarise as latency_of
from msaf_bench.analyzers.speed.tasks import Speed, SpeedConditions
from msaf_bench.cli import main
from msaf_bench.errors import DataError, UsageError
from msaf_bench.findings.compare import compare
from msaf_bench.findings.gates import check_gates, read_gates
from msaf_bench.findings.run import Run
from msaf_bench.findings.shifts import METRICS, shifts
from msaf_bench.findings.subjects import RowConsistency
from msaf_bench.records import Cost
from msaf_bench.report.tables.comparison import RunComparison, document, lines, markdown
from msaf_bench.stats import mean_interval

REFERENCE = Path(__file__).parents[2] / "reports" / "reference"


def moved(summary, label, points):
    """The same run with the mIoU of one row moved by `points`, spread a little over its seeds;
    None: all its trials failed.
    """

    def shift(run):
        if points is None:
            return replace(run, state="failed", miou=None, reason="out of memory")
        if run.miou is None:
            return run
        return replace(run, miou=run.miou + points * (1 + 0.01 * run.seed))

    return changed(summary, label, lambda row: replace(row, runs=tuple(map(shift, row.runs))))


def changed(summary, label, change):
    rows = tuple(change(row) if row.label == label else row for row in summary.rows)
    return replace(summary, rows=rows)


def measured(summary, cpu="", **values):
    """The same run with a TC, MACs, parameters and a latency in every row."""
    at = {"tc": 70.0, "ms": 10.0, "macs": 1000, "params": 50} | values
    tc = tuple((seed, at["tc"] + 0.1 * seed) for seed in summary.seeds)
    interval = mean_interval([value for _, value in tc])
    consistency = RowConsistency("clean", "dis", interval, "", (), tc)
    parts = (("backbone", at["macs"]),)
    cost = Cost(params=(("backbone", at["params"]),), clip=parts, stream=parts)
    host = summary.hosts[0].model_copy(update={"cpu": cpu or summary.hosts[0].cpu})

    def of(row):
        speed = Speed(
            system=row.system,
            conditions=SpeedConditions(size=(96, 192), mode="stream", threads=1),
            num_classes=11,
            host=host,
            latency=latency_of([at["ms"] * (1 + 0.0001 * i) for i in range(100)]),
        )
        measures = replace(row.measures, consistency=(consistency,), cost=cost, speeds=(speed,))
        return replace(row, params=at["params"], measures=measures)

    return replace(summary, rows=tuple(map(of, summary.rows)))


def compared(old, new, *gates):
    changes = compare(old, new)
    found = shifts(old, new, changes)
    outcomes = check_gates(read_gates(gates or ["none"]), changes, found)
    return RunComparison(old, new, changes, found, outcomes)


def failed(old, new, gate):
    """The labels of the rows that fail a gate."""
    (outcome,) = compared(old, new, gate).outcomes
    return {shift.label for shift in outcome.failed}


EVERY = ("worse", "miou<-0.5", "tc<-1", "latency>5%", "fps<-5%", "macs>0", "params>0")


def test_a_run_passes_every_gate_against_itself(summary):
    run = measured(summary)
    found = compared(run, run, *EVERY)
    assert all(outcome.passed for outcome in found.outcomes)
    assert all(len(outcome.compared) >= len(run.rows) for outcome in found.outcomes)
    assert not found.broken


@pytest.mark.parametrize("gate", ["worse", "miou<-0.5", "mIoU < -0.5", "miou<-1%"])
def test_a_lowered_row_fails_alone(summary, gate):
    assert failed(summary, moved(summary, "MSAF", -0.9), gate) == {"MSAF"}


def test_a_limit_holds_for_the_plain_change_and_worse_for_the_interval(summary):
    by_a_little = moved(summary, "MSAF", -0.2)
    assert failed(summary, by_a_little, "worse") == {"MSAF"}
    assert failed(summary, by_a_little, "miou<-0.5") == set()
    spread = changed(
        summary,
        "MSAF",
        lambda row: replace(
            row,
            runs=tuple(replace(run, miou=run.miou - 4 * (run.seed % 2)) for run in row.runs),
        ),
    )
    assert failed(summary, spread, "worse") == set()
    assert failed(summary, spread, "miou<-0.5") == {"MSAF"}


@pytest.mark.parametrize("gate", ["worse", "miou<-50"])
def test_a_row_that_fails_now_fails_the_gates(summary, gate):
    run = compared(summary, moved(summary, "MSAF", None), gate)
    assert {shift.label for shift in run.outcomes[0].failed} == {"MSAF"}
    assert run.broken == [f"MSAF: miou measured in the old run only, gate {gate}"]


@pytest.mark.parametrize(
    ("gate", "to"),
    [
        ("tc<-1", {"tc": 68.9}),
        ("latency>5%", {"ms": 10.6}),
        ("fps<-5%", {"ms": 10.6}),
        ("macs>0", {"macs": 1001}),
        ("params>0", {"params": 51}),
    ],
)
def test_every_metric_has_a_gate_that_fails_beyond_its_limit_only(summary, gate, to):
    old, new = measured(summary), measured(summary, **to)
    assert failed(old, new, gate) == {row.label for row in summary.rows}
    assert failed(new, old, gate) == set()


def test_times_of_two_machines_are_no_ground_for_a_gate(summary):
    other = measured(summary, cpu="Other CPU", ms=20.0)
    with pytest.raises(DataError, match=r"no row of both runs has latency: timed on another mach"):
        compared(measured(summary), other, "latency>5%")
    text = markdown(compared(measured(summary), other))
    assert "not compared: timed on another machine (Other CPU, was Example CPU" in text


@pytest.mark.parametrize("metric", ["tc", "latency", "fps", "macs"])
def test_a_gate_on_a_metric_that_was_not_measured_is_an_error(summary, metric):
    with pytest.raises(DataError, match=f"no row of both runs has {metric}"):
        compared(summary, summary, f"{metric}>0")
    with pytest.raises(DataError, match=f"no row of both runs has {metric}"):
        compared(summary, measured(summary), f"{metric}>0")


def test_worse_of_single_seeds_is_an_error_unless_they_are_equal(make):
    one = make(seeds=range(1))
    assert failed(one, one, "worse") == set()
    lowered = one
    for row in one.rows:
        lowered = moved(lowered, row.label, -3)
    with pytest.raises(DataError, match="no row has an interval: no row has two seeds in common"):
        compared(one, lowered, "worse")
    assert len(failed(one, lowered, "miou<-0.5")) == len(one.rows)


def test_rows_of_one_run_only_are_named_and_not_passed(summary):
    less = replace(summary, rows=summary.rows[1:])
    (outcome,) = compared(summary, less, "miou<-0.5").outcomes
    assert [shift.label for shift in outcome.skipped] == ["Baseline"]
    assert "gate miou<-0.5: passed, 8 rows; not compared: Baseline" in lines(
        compared(summary, less, "miou<-0.5")
    )


@pytest.mark.parametrize("text", ["miou", "miou=3", "miou<", "<3", "miou<x", "worse 3", "tc<1pt"])
def test_another_syntax_is_refused_with_examples_and_metrics(text):
    with pytest.raises(UsageError, match=r"'latency>5%'.*metrics: miou, tc, latency"):
        read_gates([text])


def test_an_unknown_metric_is_refused_with_the_choices():
    with pytest.raises(UsageError, match=r"'miuo'; did you mean miou\?"):
        read_gates(["miuo<0"])
    with pytest.raises(UsageError, match=r"'x'; choose one of: fps, latency, macs, miou, params"):
        read_gates(["x<0"])
    with pytest.raises(UsageError, match="--fail-on is empty"):
        read_gates([" "])
    with pytest.raises(UsageError, match="'none' stands alone"):
        read_gates(["none", "worse"])


def test_markdown_says_gates_rows_cost_and_conditions_in_few_lines(summary):
    new = moved(measured(summary, macs=1100), "MSAF", -0.9)
    text = markdown(compared(measured(summary), new, *EVERY))
    assert text.startswith("**1 row worse, 8 same**")
    assert "❌ gate `worse`: failed by 1 of 9 rows" in text
    assert "✅ gate `tc<-1`: passed, 9 rows" in text
    assert "| MSAF | worse | −0.92 (−0.9" in text
    assert "No change beyond the intervals: tc, latency, fps, params." in text
    assert "macs stream 1,000 → 1,100 MACs (+10.0 %)" in text
    assert "data street · preset quick · seeds 0 to 4 · old: commit 0123456789ab" in text
    assert len(text) < 6000


def test_json_says_what_the_markdown_says(summary):
    content = document(compared(summary, moved(summary, "MSAF", -0.9), "miou<-0.5"))
    assert (content["worse"], content["better"], content["passed"]) == (["MSAF"], [], False)
    (gate,) = content["gates"]
    (shift,) = gate["failed"]
    assert (gate["gate"], gate["rows"], gate["passed"]) == ("miou<-0.5", 9, False)
    assert shift["row"] == "MSAF"
    assert shift["interval"][0] < shift["change"] < shift["interval"][1] < 0
    assert content["new"]["seeds"] == [0, 1, 2, 3, 4]
    assert {each["metric"] for each in content["metrics"]} == set(METRICS)


# Through the command, on a run that is kept here.


def street(folder):
    """A copy of the plan and of two seeds' records of a reference run."""
    return some_seeds(REFERENCE / "table3-street-quick", folder, 2)


@pytest.mark.slow
def test_the_command_fails_with_code_4_and_a_line_for_each_row(capsys, tmp_path, monkeypatch):
    run = str(street(tmp_path / "main"))
    gates = ["--fail-on", "worse,miou<-0.5", "--fail-on", "macs>0"]
    assert main(["compare", run, run, *gates, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"]
    folder = street(tmp_path / "here")
    found = Run.summary

    def lowered(self, **options):
        summary = found(self, **options)
        return moved(summary, "MSAF", -0.9) if self.folder == folder else summary

    monkeypatch.setattr(Run, "summary", lowered)
    assert main(["compare", run, str(folder), *gates, "--markdown"]) == 4
    out, err = capsys.readouterr()
    assert "❌ gate `worse`" in out
    assert [line.split(": ")[1] for line in err.splitlines()] == ["MSAF", "MSAF", "failed"]
    assert err.splitlines()[-1] == "msaf-bench: failed: worse, miou<-0.5"
    assert main(["compare", run, str(folder), "--fail-on", "none"]) == 0
    assert main(["compare", run, str(folder)]) == 4
    capsys.readouterr()
    for gate, code in (("latency>5%", 3), ("latncy>5%", 2), ("latency", 2)):
        assert main(["compare", run, run, "--fail-on", gate]) == code
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["compare", run, run, "--json", "--markdown"]) == 2
