"""The committed reference reports: what is rendered still follows from the records beside it."""

from pathlib import Path

import pytest

from msaf_bench.records import read_records
from msaf_bench.report.run import summarise_run
from msaf_bench.report.tables import to_csv, to_markdown, to_per_class_csv
from msaf_bench.sweep.plan import Workspace

REFERENCE = sorted((Path(__file__).parents[2] / "reports" / "reference").glob("*/plan.json"))


@pytest.fixture(params=[path.parent for path in REFERENCE], ids=lambda folder: folder.name)
def folder(request):
    return request.param


def test_there_is_a_reference():
    assert REFERENCE


def test_the_tables_follow_from_the_records(folder):
    workspace = Workspace(folder)
    plan = workspace.plan()
    summary = summarise_run(workspace, plan)
    name = plan.table.name
    assert to_csv(summary) == (folder / f"{name}.csv").read_text()
    assert to_per_class_csv(summary) == (folder / f"{name}_per_class.csv").read_text()
    assert to_markdown(summary) == (folder / f"{name}.md").read_text()
    assert {row.state for row in summary.rows} == {"done"}


def test_every_record_was_made_by_one_clean_commit(folder):
    commits = {record.host.commit for record in read_records(folder / "records").values()}
    assert len(commits) == 1
    assert not commits.pop().endswith("+")


def test_every_row_clearly_beats_the_best_constant_prediction(folder):
    workspace = Workspace(folder)
    assert all(row.clears_constant for row in summarise_run(workspace, workspace.plan()).rows)


def test_no_picture_of_a_foreign_data_set_is_committed(folder):
    if Workspace(folder).plan().conditions.data == "street":
        pytest.skip("the street is ours")
    assert [p for p in folder.rglob("*") if "strip" in p.name or p.parent.name == "predictions"] == []
    assert "Frames, truth and predictions" not in "".join(p.read_text() for p in folder.glob("*.html"))
