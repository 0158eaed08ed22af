"""A run that is loaded from its folder, against its committed report."""

import csv
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msaf_bench.errors import HostError, UsageError
from msaf_bench.findings.run import load_run, summarise_run
from msaf_bench.findings.trials import read_results, reduced
from msaf_bench.packed import ARCHIVE
from msaf_bench.packed import names as documents
from msaf_bench.records import each_record, read_record, write_record
from msaf_bench.sweep.workspace import Workspace

REFERENCE = Path(__file__).parents[2] / "reports" / "reference"
FOLDER = REFERENCE / "table2-camvid-quick"  # 18 records


@pytest.fixture(scope="module")
def run():
    return load_run(FOLDER)


@pytest.fixture
def loose(tmp_path):
    """A copy of the run whose records are files."""
    shutil.copytree(FOLDER, tmp_path / "run", ignore=shutil.ignore_patterns(ARCHIVE, "records"))
    for record in each_record(FOLDER / "records"):
        write_record(tmp_path / "run" / "records", record)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def frame(run):
    return run.frame()


def test_it_has_the_table_the_conditions_and_the_records(run):
    assert run.table.name == "table2"
    assert run.conditions.data == "camvid"
    names = sorted(name.removesuffix(".json") for name in documents(FOLDER / "records"))
    assert list(run.records) == names
    assert len(run.records) == len(names) == 18
    first = run.records[names[0]]
    assert first.trial.id == names[0]
    assert first.confusion.unpack().shape == (101, 11, 11)
    with pytest.raises(KeyError):
        run.records["nope"]


def test_the_frame_is_tidy(run, frame):
    assert list(frame.columns) == [
        "row", "kind", "seed", "trial", "state", "reason", "metric", "of", "value", "unit",
    ]  # fmt: skip
    assert not frame.duplicated(["row", "seed", "metric", "of"]).any()
    assert set(frame["trial"]) == set(run.records)
    assert set(frame["kind"]) == {"row"}
    assert set(frame["state"]) == {"done"}
    assert frame["value"].dtype == float
    assert (frame.groupby("metric")["unit"].nunique() == 1).all()


def test_the_frame_has_the_numbers_of_the_report(frame):
    with (FOLDER / "table2.csv").open() as file:
        printed = {line["row"]: line for line in csv.DictReader(file)}
    with (FOLDER / "table2_per_class.csv").open() as file:
        per_class = {line["row"]: line for line in csv.DictReader(file)}
    miou = frame[frame["metric"] == "miou"].set_index("row")["value"]
    assert len(miou) == 18
    for row, value in miou.items():
        assert value == pytest.approx(float(printed[row]["measured_miou"]), rel=1e-5)
    iou = frame[frame["metric"] == "iou"].set_index(["row", "of"])["value"]
    assert len(iou) == 18 * 11
    for (row, name), value in iou.items():
        assert value == pytest.approx(float(per_class[row][name]), rel=1e-5)


@pytest.mark.slow
def test_the_summary_is_that_of_the_report(run):
    workspace = Workspace(FOLDER)
    summary = run.summary()
    assert repr(summary) == repr(summarise_run(workspace, workspace.plan()))
    assert [row.label for row in summary.measured] == list(run.plan.rows)


@pytest.mark.slow
def test_a_notebook_shows_a_table_without_live_markup(run):
    summary = run.summary()
    html = replace(summary, notes=("<script>alert(1)</script>",))._repr_html_()
    assert html.count("<tr>") == 1 + len(summary.subjects)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.slow
def test_a_missing_and_a_failed_trial_have_one_line_each(loose):
    gone, failed = sorted((loose / "records").glob("*.json"))[:2]
    gone.unlink()
    record = read_record(failed)
    update = {"state": "failed", "reason": "out of memory", "confusion": None}
    write_record(failed.parent, record.model_copy(update=update))
    frame = load_run(loose).frame().set_index("trial")
    assert len(frame.loc[[gone.stem]]) == len(frame.loc[[failed.stem]]) == 1
    assert frame.loc[gone.stem, "state"] == "missing"
    assert math.isnan(frame.loc[gone.stem, "value"])
    assert frame.loc[failed.stem, "reason"] == "out of memory"


@pytest.mark.parametrize("name", ["nope", "empty"])
def test_a_folder_without_a_run_is_one_clear_line(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no run|no such folder") as error:
        load_run(tmp_path / name)
    assert "\n" not in str(error.value)


def test_the_points_of_a_study_are_runs():
    study = load_run(REFERENCE / "when-motion-helps-street-quick")
    assert study.table.axis
    assert len(study.points) > 2
    assert all(point.plan.rows and not point.points for point in study.points)
    for read in (study.frame, study.summary):
        with pytest.raises(UsageError, match="with an axis; use one of its `points`"):
            read()


@pytest.mark.slow
def test_a_damaged_record_is_named(loose):
    path = next((loose / "records").glob("*.json"))
    path.write_text("{")
    run = load_run(loose)
    for read in (run.frame, run.summary, lambda: run.records[path.stem]):
        with pytest.raises(HostError, match=path.name):
            read()


def test_a_result_holds_the_sums_of_its_record(run):
    name = next(iter(run.records))
    record, result = run.records[name], read_results(FOLDER / "records")[name]
    matrices = record.confusion.unpack()
    hit = np.diagonal(matrices, axis1=1, axis2=2)
    np.testing.assert_array_equal(result.confusion, matrices.sum(0))
    np.testing.assert_array_equal(result.areas.intersections, hit)
    np.testing.assert_array_equal(result.areas.unions, matrices.sum(1) + matrices.sum(2) - hit)
    assert result.record.confusion is None
    assert all(c.matrices is None for c in result.record.consistency)
    assert result.record.consistency
    again = reduced(record)
    assert (again.miou, again.record) == (result.miou, result.record)
