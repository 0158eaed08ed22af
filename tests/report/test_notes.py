"""What is noted of a run stands in every file of its report and on the terminal."""

import csv
import html
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from msaf_bench.findings.summary import Summary
from msaf_bench.records import Record
from msaf_bench.report.console import print_summary
from msaf_bench.report.kinds import view_of
from msaf_bench.report.render import render
from msaf_bench.report.tables.latex import latex_text
from msaf_bench.report.tables.markdown import markdown_text
from msaf_bench.spec import Trial

AS_WRITTEN: dict[str, Callable[[str], str]] = {
    ".md": markdown_text,
    ".tex": latex_text,
    ".html": lambda text: html.escape(text, quote=True),
    ".json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
}


def mixed(records: dict[str, Record], trials: list[Trial]) -> dict[str, Record]:
    """One record of other data, one of another machine, one of other weights, and one that is
    missing.
    """
    others = {
        trials[0].id: {"data": "other"},
        trials[1].id: {"host": records[trials[1].id].host.model_copy(update={"cpu": "another"})},
        trials[2].id: {"start": "weights of another file"},
    }
    kept = {i: record.model_copy(update=others.get(i, {})) for i, record in records.items()}
    return {i: record for i, record in kept.items() if i != trials[-1].id}


@pytest.fixture(params=["make", "make_systems"])
def noted(request: pytest.FixtureRequest) -> Summary:
    return request.getfixturevalue(request.param)(change=mixed, allow_mixed=True)


@pytest.mark.slow
def test_every_note_stands_in_every_form(
    noted: Summary,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("msaf_bench.report.render._drawn", lambda view, strip: [])
    expected = (
        "different content",
        "different machines",
        "different starting weights",
        "The run is partial: 1 of",
        "No pulse",
    )
    assert len(noted.notes) == len(expected)
    assert all(any(words in note for note in noted.notes) for words in expected)
    texts = render(view_of(noted), tmp_path)
    assert {path.suffix for path in texts} == {".csv", *AS_WRITTEN}
    for path in texts:
        for note in noted.notes:
            if path.suffix == ".csv":
                assert all(
                    note in line["notes"] for line in csv.DictReader(path.read_text().splitlines())
                ), path.name
            else:
                written = " ".join(path.read_text().split())
                assert AS_WRITTEN[path.suffix](note) in written, path.name
    capsys.readouterr()
    print_summary(view_of(noted))
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"note: {note}" in said for note in noted.notes)
