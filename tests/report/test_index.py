"""The index of all runs below a folder: its cards, and the history of tables."""

import json
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, browser
from browser import Page as Tab
from markup import Page

from msaf_bench.cli import main
from msaf_bench.documents import json_text
from msaf_bench.errors import UsageError
from msaf_bench.files import write_kept
from msaf_bench.findings.study import AxisCurves, Curve, PointReading, Study
from msaf_bench.findings.summary import Summary
from msaf_bench.host import Host, commit_times
from msaf_bench.report.document import to_json
from msaf_bench.report.index import runs as index_runs
from msaf_bench.report.index.documents import Document
from msaf_bench.report.index.history import histories
from msaf_bench.report.index.render import render_index
from msaf_bench.report.index.runs import read_runs
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.curves import answers, study_document
from msaf_bench.spec import Axis, Conditions, Table
from msaf_bench.stats import Interval, paired_difference
from msaf_bench.sweep.plan import Plan

Report = dict[str, Any]
Put = Callable[..., Path]
FIRST, SECOND = "2026-11-01T10:00:00Z", "2026-11-09T10:00:00Z"


@pytest.fixture(scope="session")
def report(summary: Summary) -> Report:
    """The JSON of a report of five seeds."""
    return json.loads(json_text(to_json(view_of(summary))))


@pytest.fixture
def plan(table: Table, conditions: Conditions) -> Plan:
    return Plan(table=table, conditions=conditions, rows=table.built, seeds=5)


@pytest.fixture
def put(tmp_path: Path, plan: Plan) -> Put:
    """Lays a run into the folder: `put(name, report, plan)`; without a report only its plan."""

    def lay(name: str, report: Report | None = None, own: Plan = plan) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        write_kept(folder / "plan.json", own)
        if report:
            (folder / f"{own.table.name}.json").write_text(json_text(report))
            (folder / f"{own.table.name}.html").write_text("<!doctype html>")
        return folder

    return lay


def made(
    report: Report, ended: str, commit: str = "", points: Mapping[str, list[float]] | None = None
) -> Report:
    """The same report of another day and commit, with each seed of some rows moved by its entry of
    `points`.
    """
    new = deepcopy(report)
    new["ended"] = ended
    for host in new["hosts"]:
        host["commit"] = commit or host["commit"]
    for row in new["rows"]:
        moves = (points or {}).get(row["label"], [])
        for seed, move in enumerate(moves):
            row["miou_by_seed"][str(seed)] += move
    return new


def page_of(folder: Path) -> Page:
    return Page(render_index(folder).path.read_text())


def article(folder: Path, name: str) -> str:
    """The markup of one card."""
    page = render_index(folder).path.read_text()
    return page.partition(f'id="run-{name}"')[2].partition("</article>")[0]


# ---- cards ---------------------------------------------------------------------------------------


def test_a_card_has_title_answers_health_conditions_and_the_way_to_its_page(
    tmp_path: Path, put: Put, moved: Summary
):
    found = made(json.loads(json_text(to_json(view_of(moved)))), FIRST, "abcdef123456")
    put("a run", found)
    page = page_of(tmp_path)
    for line in found["answers"]:
        assert line["part"] in page.text
        assert line["word"] in page.text
    assert found["title"] in page.text
    assert {"href": "a%20run/table3.html"} in page.of("a")
    assert "2 of" not in page.text.partition("1 of")[0]
    assert re.search(r"1 of \d+ parts not live: align of w/o Semantics", page.text)
    for fact in ("2026-11-01", "commit abcdef1", "preset quick", "9 rows", "seeds 0 to 4"):
        assert fact in page.text
    assert "Example CPU 3000 @ 2.5 GHz, 2 threads" in page.text
    keys = next(each for each in page.of("article"))
    assert (keys["data-table"], keys["data-data"], keys["data-preset"]) == (
        "table3",
        "street",
        "quick",
    )


def test_whole_systems_show_the_agreement_of_their_orders_and_the_standing(
    tmp_path: Path, put: Put, plan: Plan, whole: Summary
):
    found = to_json(view_of(whole))
    own = Plan(table=whole.table, conditions=plan.conditions, rows=whole.table.built, seeds=1)
    put("whole", found, own)
    page = page_of(tmp_path)
    assert "τ " in page.text
    for sentence in found["standing"]:
        assert sentence in page.text
    assert "seed 0" in page.text


def test_runs_are_found_at_any_depth_and_the_points_of_a_study_belong_to_it(
    tmp_path: Path, put: Put, report: Report, plan: Plan
):
    axis = Axis(of="data_options.occluders", values=(0.0, 2.0), title="strength")
    study = plan.model_copy(
        update={"table": plan.table.model_copy(update={"axis": (axis,), "name": "helps"})}
    )
    said = {
        "title": "Helps on street: when?",
        "answers": [],
        "standing": ["Strength: past frames contribute most in MSAF."],
        "trust": ["All 12 parts of all rows and controls are live."],
        "ended": FIRST,
        "seeds": 5,
        "lines": [{"live": True}, {"live": None}],
    }
    put("deep/down/study", said, study)
    put("deep/down/study/points/occluders-0.0", report)
    put(".hidden/run", report)
    put("deep/run", made(report, SECOND))
    assert [run.folder for run in read_runs(tmp_path)] == ["deep/run", "deep/down/study"]
    text = page_of(tmp_path).text
    for words in (said["title"], said["standing"][0], said["trust"][0], "over strength"):
        assert words in text
    assert "✓ All 12 parts" in text
    said["lines"][1]["live"] = False
    said["trust"] = ["1 of 12 parts are not live."]
    (tmp_path / "deep/down/study/helps.json").write_text(json_text(said))
    assert "✗ 1 of 12 parts are not live." in page_of(tmp_path).text


def test_a_study_answers_with_the_row_of_the_largest_contribution(summary: Summary, plan: Plan):
    rows = {row.label: row for row in summary.rows}
    amounts = {"MSAF": (0.2, 1.5), "Motion only": (0.9, 1.0)}
    curves = tuple(
        Curve(
            label,
            False,
            tuple(
                PointReading(x, rows[label], Interval(y, y - 0.3, y + 0.3, 0.1, 5), None, "above")
                for x, y in zip((0.0, 4.0), past, strict=True)
            ),
        )
        for label, past in amounts.items()
    )
    axis = Axis(of="data_options.occluders", values=(0.0, 4.0), title="strength (of 15 Hz)")
    study = Study(plan, "Baseline", 2, (AxisCurves(axis, curves),), (summary,), (), ())
    (sentence,) = answers(study)
    assert sentence == (
        "Strength (of 15 Hz): past frames contribute most in MSAF,"
        " +1.5 (+1.2 to +1.8) mIoU at 4.0; its smallest contribution is"
        " +0.2 (−0.1 to +0.5) mIoU at 0.0."
    )
    document = study_document(study)
    assert document["standing"] == list(answers(study))
    assert document["title"] == "Table 3 on street: how do the rows compare with MSAF?"


@pytest.mark.parametrize("kept", [(), ("table", "rows", "hosts", "conditions")])
def test_a_run_without_answers_is_listed_with_its_plan_and_the_command(
    tmp_path: Path, put: Put, report: Report, kept: tuple[str, ...]
):
    put("it's old", {key: report[key] for key in kept} or None)
    text = page_of(tmp_path).text
    assert "msaf-bench report 'it'\"'\"'s old'" in text
    assert ("comes from an earlier version" if kept else "It has no report yet") in text
    for fact in ("preset quick", "9 rows", "seeds 0 to 4", "on street"):
        assert fact in text
    assert ("Example CPU" in text) == bool(kept)


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        (
            "table3.json",
            '{"title": "Tab',
            "bad/table3.json: not the JSON of a report (Invalid",
        ),
        ("table3.json", "[1, 2]", "bad/table3.json: not the JSON of a report (Input should be"),
        ("table3.json", '{"title": "x", "rows": [{"label": 3}]}', "bad/table3.json: not the JSON"),
        ("table3.json", b"\xff\xfe", "bad/table3.json: not the JSON of a report"),
        ("plan.json", "{", "bad/plan.json: not a plan of this version"),
    ],
)
def test_a_damaged_file_is_one_line_and_the_others_are_there(
    tmp_path: Path,
    put: Put,
    report: Report,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: str | bytes,
    fault: str,
):
    put("good", report)
    bad = put("bad", report) / file
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["report", "--index", str(tmp_path)]) == 0
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"msaf-bench: {fault}")
    page = Page((tmp_path / "index.html").read_text())
    assert "1 file cannot be read:" in page.text
    assert page.text.count(line.removeprefix("msaf-bench: ")) == 1
    assert str(tmp_path) not in page.text
    assert len(page.of("article")) == 2
    assert report["title"] in page.text


def test_names_do_not_leave_their_places(
    tmp_path: Path, put: Put, report: Report, table: Table, plan: Plan
):
    hostile = '<script>alert(1)<"&'
    bad = deepcopy(report)
    bad["title"] = bad["answers"][0]["part"] = hostile
    bad["answers"][1]["word"] = hostile
    bad["hosts"][0]["cpu"] = hostile
    for row in bad["rows"]:
        row["label"] += hostile
    put(f"a {hostile}", made(bad, FIRST))
    put(f"b {hostile}", made(bad, SECOND, points={"MSAF" + hostile: [-1.0] * 5}))
    page = page_of(tmp_path)
    assert len(page.of("script")) == 1
    assert page.text.count(hostile) > 4


def test_the_page_asks_no_network_and_reads_without_scripts(
    tmp_path: Path, put: Put, report: Report
):
    put("a", made(report, FIRST))
    put("b", made(report, SECOND))
    page = page_of(tmp_path)
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "style"):
            assert not re.match(r"[a-z]+:|//", attributes.get(name) or "")
    assert "default-src 'none'" in str(page.of("meta"))
    assert not [each for each in page.of("article") if "hidden" in each]


def test_equal_runs_give_equal_bytes_and_no_record_is_read(
    tmp_path: Path, put: Put, report: Report
):
    folder = put("a/run", made(report, FIRST))
    put("a/other", made(report, SECOND))
    (folder / "records").mkdir()
    (folder / "records" / "broken.json").write_text("{")
    first = render_index(tmp_path / "a").path.read_bytes()
    copy = shutil.copytree(tmp_path / "a", tmp_path / "elsewhere" / "a")
    assert render_index(copy).path.read_bytes() == first
    assert render_index(tmp_path / "a").path.read_bytes() == first


# ---- dates ---------------------------------------------------------------------------------------


def test_a_date_is_of_the_run_else_of_its_code_else_of_its_files(
    tmp_path: Path, put: Put, report: Report, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(index_runs, "commit_times", lambda commits: {"aaaaaaaaaaaa+": SECOND})
    put("run", made(report, FIRST, "aaaaaaaaaaaa+"))
    put("code", made(report, "", "aaaaaaaaaaaa+"))
    records = put("files", made(report, "", "bbbbbbbbbbbb")) / "records"
    records.mkdir()
    (records / "x.json").touch()
    put("none")
    times = {run.folder: run.day for run in read_runs(tmp_path)}
    assert times["run"] == "2026-11-01"
    assert times["code"] == "code of 2026-11-09"
    assert re.fullmatch(r"files of 20\d\d-\d\d-\d\d", times["files"])
    assert times["none"] == ""
    assert [run.folder for run in read_runs(tmp_path)][1:] == ["code", "run", "none"]


def test_the_time_of_a_commit_is_asked_of_the_checkout():
    here = Host.here().commit
    if not here:
        pytest.skip("not a checkout")
    found = commit_times([here, "0123456789ab", ""])
    assert list(found) == [here]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[here])


def test_the_json_of_a_report_holds_the_time_of_the_newest_record(make: Any):
    def change(records: dict[str, Any], _: object) -> dict[str, Any]:
        times = iter([SECOND, FIRST])
        return {
            name: record.model_copy(update={"ended": next(times, "")})
            for name, record in records.items()
        }

    assert to_json(view_of(make(change=change)))["ended"] == SECOND


# ---- history -------------------------------------------------------------------------------------

CHANGED = {"MSAF": [-1.0, -1.1, -0.9, -1.0, -1.0], "Baseline": [0.5, -0.5, 0.1, -0.2, 0.1]}


@pytest.fixture
def two(put: Put, report: Report) -> None:
    """Two runs of one table: one row is worse beyond the interval, one has changed within it."""
    put("old", made(report, FIRST, "111111111111"))
    put("new", made(report, SECOND, "222222222222", CHANGED))


@pytest.mark.usefixtures("two")
def test_a_row_that_changed_beyond_the_interval_is_marked(tmp_path: Path, report: Report):
    (history,) = histories(read_runs(tmp_path))
    assert [run.folder for run in history.runs] == ["old", "new"]
    states = {row.label: row.newest.change.state for row in history.rows if row.newest.change}
    assert states.pop("MSAF") == "worse"
    assert states.pop("Baseline") == "undecided"
    assert set(states.values()) == {"same"}
    assert history.marked == 1
    row = next(row for row in history.rows if row.label == "MSAF")
    seeds = {row["label"]: row["miou_by_seed"] for row in report["rows"]}["MSAF"]
    old = {int(seed): miou for seed, miou in seeds.items()}
    new = {seed: miou + CHANGED["MSAF"][seed] for seed, miou in old.items()}
    assert row.newest.change
    assert row.newest.change.difference == paired_difference(new, old, family=9)
    page = page_of(tmp_path)
    assert "1 of 9 rows have changed beyond the interval in the newest run" in page.text
    marks = [each["class"] for each in page.of("circle") if "mark" in (each.get("class") or "")]
    assert marks == ["mark against"]
    assert "2026-11-01 1111111" in page.text
    assert "2026-11-09 2222222" in page.text


def test_a_change_stays_on_the_line_when_newer_runs_follow(
    tmp_path: Path, put: Put, report: Report
):
    put("a", made(report, FIRST))
    put("b", made(report, "2026-11-05T10:00:00Z", "222222222222", CHANGED))
    put("c", made(report, SECOND, "333333333333", CHANGED))
    (history,) = histories(read_runs(tmp_path))
    row = next(row for row in history.rows if row.label == "MSAF")
    assert [step.marked for step in row.steps] == [False, True, False]
    assert history.marked == 0
    text = page_of(tmp_path).text
    assert "No row has changed beyond the interval in the newest run" in text
    assert re.search(r"worse\s+2026-11-05\s+−1.0", text)


def test_one_run_of_a_kind_has_no_history(
    tmp_path: Path, put: Put, report: Report, plan: Plan, conditions: Conditions
):
    put("run", made(report, FIRST))
    put("copy", made(report, FIRST))
    other = plan.model_copy(update={"conditions": conditions.model_copy(update={"steps": 301})})
    put("steps", made(report, SECOND), other)
    put("seeds", made(report, SECOND) | {"seeds": [0, 1, 2]})
    put("data", made(report, SECOND) | {"data_content": ["0123"]})
    put("old", {key: report[key] for key in ("table", "rows", "hosts")})
    assert histories(read_runs(tmp_path)) == []
    assert 'id="history"' not in render_index(tmp_path).path.read_text()


def test_rows_that_came_went_failed_or_changed_their_system_are_said(
    tmp_path: Path, put: Put, report: Report
):
    old, new = made(report, FIRST), made(report, SECOND)
    old["rows"] = [row for row in old["rows"] if row["label"] != "w/o DCN"]
    rows = {row["label"]: row for row in new["rows"]}
    rows["MSAF"]["system_key"] = "another"
    rows["w/o State"] |= {"miou_by_seed": {}, "miou": None, "state": "failed: broken"}
    rows["w/o Motion"] |= {
        "live": False,
        "parts": [{"part": "state", "live": False, "reason": "not live in 1 of 5 seeds"}],
    }
    put("old", old)
    put("new", new)
    (history,) = histories(read_runs(tmp_path))
    found = {row.label: row.newest.change for row in history.rows}
    said = {label: (change.state, change.reason) for label, change in found.items() if change}
    assert said["w/o DCN"] == ("not comparable", "only in one run")
    assert said["MSAF"] == ("not comparable", "the row is another system now")
    assert said["w/o State"] == ("new failure", "failed: broken")
    assert said["w/o Motion"] == (
        "not comparable",
        "new: state of w/o Motion is not live in 1 of 5 seeds",
    )
    assert history.marked == 1
    page_of(tmp_path)


def test_cost_and_speed_are_those_before_too_where_they_changed(
    tmp_path: Path, put: Put, report: Report
):
    old, new = made(report, FIRST), made(report, SECOND)
    for found, params, macs, ms in ((old, 1_000_000, 2e9, 4.0), (new, 1_100_000, 2e9, 5.0)):
        for row in found["rows"]:
            row |= {"params": params, "macs_stream": macs}
            row["latency_ms"] = {"stream": {"value": ms, "low": ms - 0.1, "high": ms + 0.1}}
    new["rows"][0]["latency_ms"]["stream"]["low"] = 4.05
    put("old", old)
    put("new", new)
    first, second = histories(read_runs(tmp_path))[0].rows[:2]
    assert (second.params, second.macs) == ("1.100 (was 1.000)", "2.000")
    assert second.latency == "5.00 (slower, was 4.00)"
    assert first.latency == "5.00"
    new["hosts"][0]["cpu"] = "Another CPU"
    shutil.rmtree(tmp_path / "new")
    put("new", new)
    assert histories(read_runs(tmp_path))[0].rows[1].latency == "5.00 (another machine)"


def test_earlier_documents_have_what_is_missing_as_default(report: Report):
    bare = {"label": "MSAF", "params": None, "new key": 1}
    row = Document.model_validate({"rows": [bare], "another": 2}).rows[0]
    assert (row.miou_by_seed, row.ill, row.latency_ms) == ({}, "", {})


# ---- the command ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("two")
def test_the_command_prints_the_way_to_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", "--index", str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"open {(tmp_path / 'index.html').as_uri()}"
    assert main(["report", "--index", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "path": str(tmp_path / "index.html"),
        "runs": 2,
        "histories": 1,
        "faults": [],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "give the folder of one run, or --index"),
        (["report", "{}", "--index", "{}"], "give the folder of one run, or --index"),
        (["report", "--index", "{}/nowhere"], "no such folder"),
        (["report", "--index", "{}"], "holds no run"),
    ],
)
def test_what_cannot_be_indexed_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    assert main([word.format(tmp_path) for word in arguments]) == UsageError.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())


# ---- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab() -> Generator[Tab]:
    if not CHROMIUM:
        pytest.skip("no Chromium: install Debian's `chromium`")
    with browser() as page:
        yield page


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_cards_are_chosen_searched_and_ordered(
    tmp_path: Path, put: Put, report: Report, plan: Plan, conditions: Conditions, tab: Tab
):
    other = plan.model_copy(update={"conditions": conditions.model_copy(update={"data": "camvid"})})
    put("far", made(report, "2026-10-01T00:00:00Z"), other)
    put("undated", None, other)
    tab.look(390)
    tab.open(render_index(tmp_path).path)
    shown = "[...document.querySelectorAll('.run:not(.missed)')].map(card => card.id.slice(4))"
    assert tab.run(shown) == ["new", "old", "far", "undated"]
    choose = (
        "(name, value) => { const tool = document.querySelector(`[aria-label='${name}']`);"
        " tool.value = value; tool.dispatchEvent(new Event('input')); }"
    )
    tab.run(f"({choose})('Data', 'camvid')")
    assert tab.run(shown) == ["far", "undated"]
    tab.run(f"({choose})('Data', '')")
    tab.run(f"({choose})('Order', 'oldest first')")
    assert tab.run(shown) == ["far", "old", "new", "undated"]
    tab.run(f"({choose})('Find runs', '2222222')")
    assert tab.run(shown) == ["new"]
    assert tab.run("document.querySelector('.tools .made').textContent") == "1 of 4 runs"
    assert tab.run("document.documentElement.scrollWidth") == 390
    assert tab.complaints() == []
