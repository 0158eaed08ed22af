"""The committed reference reports: what is rendered still follows from the records beside it."""

from pathlib import Path

import pytest

from msaf_bench.findings.run import summarise_run
from msaf_bench.findings.study import summarise_study
from msaf_bench.records import read_records
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.curves import study_csv
from msaf_bench.report.tables.rankings import to_rankings_csv
from msaf_bench.report.tables.values import to_csv, to_per_class_csv
from msaf_bench.sweep.workspace import Workspace

pytestmark = pytest.mark.slow
REFERENCE = sorted((Path(__file__).parents[2] / "reports" / "reference").glob("*/plan.json"))
STUDIES = [path for path in REFERENCE if (path.parent / "points").is_dir()]


@pytest.fixture(
    scope="module",
    params=[path.parent for path in REFERENCE if path not in STUDIES],
    ids=lambda folder: folder.name,
)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def summary(folder):
    """The folder's records, summarised once for all tests."""
    workspace = Workspace(folder)
    return summarise_run(workspace, workspace.plan())


def test_there_is_a_reference():
    assert REFERENCE


@pytest.mark.parametrize("study", [path.parent for path in STUDIES], ids=lambda folder: folder.name)
def test_the_curves_follow_from_the_records_of_their_points(study):
    plan = Workspace(study).plan()
    found = summarise_study(Workspace(study), plan)
    assert study_csv(found) == (study / f"{plan.table.name}.csv").read_text()
    assert not found.missing
    commits = {host.commit for summary in found.summaries for host in summary.hosts}
    assert len(commits) == 1
    assert not any(commit.endswith("+") for commit in commits)
    assert all(
        subject.live is not False for summary in found.summaries for subject in summary.subjects
    )


def test_the_tables_follow_from_the_records(folder, summary):
    plan = Workspace(folder).plan()
    name = plan.table.name
    view = view_of(summary)
    assert to_csv(view) == (folder / f"{name}.csv").read_text()
    assert to_per_class_csv(view) == (folder / f"{name}_per_class.csv").read_text()
    assert view.kind.markdown(view) == (folder / f"{name}.md").read_text()
    if not plan.table.base:
        assert to_rankings_csv(view) == (folder / f"{name}_agreement.csv").read_text()
        assert len(summary.measured) == len(plan.table.rows)
    assert {row.state for row in summary.rows} == {"done"}


def test_every_record_was_made_by_a_clean_commit_and_more_than_one_is_said(folder, summary):
    commits = {record.host.commit for record in read_records(Workspace(folder).records).values()}
    assert not any(commit.endswith("+") for commit in commits)
    said = any("different machines or versions" in note for note in summary.notes)
    assert said is (len(commits) > 1)


def test_every_row_clearly_beats_the_best_constant_prediction(summary):
    if len(summary.seeds) > 1:
        assert all(row.clears_constant for row in summary.rows)
    else:
        assert all(row.measured[0] > 3 * summary.constant.miou for row in summary.rows)


def test_no_picture_of_a_foreign_data_set_is_committed(folder):
    if Workspace(folder).plan().conditions.data == "street":
        pytest.skip("the street is ours")
    assert [
        p for p in folder.rglob("*") if "strip" in p.name or p.parent.name == "predictions"
    ] == []
    assert "Frames, truth and predictions" not in "".join(
        p.read_text() for p in folder.glob("*.html")
    )


def test_the_results_say_the_sentences_of_their_reference():
    folder = REFERENCE[0].parents[1] / "table3-street-quick"
    view = view_of(summarise_run(Workspace(folder), Workspace(folder).plan()))
    page = Path(__file__).parents[2] / "docs" / "results" / "table3.md"
    said = page.read_text().split("<!-- answers of table3-street-quick -->")[1]
    lines = said.split("<!-- end of the answers -->")[0].split("\n- ")
    assert [line.strip() for line in lines if line.strip()] == [
        line.sentence for line in view.answers.lines
    ]


def test_the_reference_stays_small_and_holds_nothing_that_is_rendered_anew():
    files = [path for path in REFERENCE[0].parents[1].rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".xz", ".csv", ".md", ".svg", ".png"}
    assert {path.name for path in files if path.suffix == ".json"} == {"plan.json"}
    assert {path.parent.name for path in files if path.suffix == ".png"} == {"predictions"}
    assert sum(path.stat().st_size for path in files) < 6e6
