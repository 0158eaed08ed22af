"""No cell of any CSV of any report is a formula: whoever opens it in a spreadsheet runs nothing."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from msaf_bench.findings.summary import Summary
from msaf_bench.records import Record
from msaf_bench.report.kinds import view_of
from msaf_bench.report.render import render
from msaf_bench.spec import Table, Trial

FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "=HYPERLINK(0)",
    "=cmd|a",
    "+x",
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")


def hostile(records: dict[str, Record], trials: list[Trial]) -> dict[str, Record]:
    """Class names, host, data, starting weights and reasons are formulas; each run has a trial that
    failed.
    """
    cpu = {"cpu": "=cpu()", "commit": "=commit()"}
    changed = {
        name: record.model_copy(
            update={
                "class_names": FORMULAS,
                "host": record.host.model_copy(update=cpu),
                "data": "=data()",
                "start": "=start()",
                "pulses": tuple(
                    pulse.model_copy(update={"reason": "=reason()"}) for pulse in record.pulses
                ),
            }
        )
        for name, record in records.items()
    }
    failed = {"state": "failed", "reason": "=reason()", "confusion": None, "still": None}
    return changed | {trials[0].id: changed[trials[0].id].model_copy(update=failed)}


def renamed(table: Table) -> Table:
    """The table with labels, notes, source and provenance that are formulas."""
    labels = dict(zip((label for label, _ in table.rows), FORMULAS, strict=False))
    rows = tuple(
        (
            labels.get(label, label),
            row.model_copy(
                update={
                    "note": "=note()",
                    "model": "=model()",
                    "block": "=block()",
                    "backbone": "=b()",
                }
            ),
        )
        for label, row in table.rows
    )
    words = {
        "title": "=title()",
        "source": "=source()",
        "provenance": "=provenance()",
        "orderings": (),
    }
    return table.model_copy(update={"rows": rows, "reference": labels[table.reference], **words})


@pytest.fixture(params=["make", "make_moving", "make_systems"])
def report(request: pytest.FixtureRequest, table: Table) -> Summary:
    make: Callable[..., Summary] = request.getfixturevalue(request.param)
    own = (
        {}
        if request.param == "make_systems"
        else {"table": renamed(table)}
        if request.param == "make"
        else {}
    )
    made = make(change=hostile, **own)
    words = {"title": "=title()", "source": "=source()", "provenance": "=provenance()"}
    return replace(
        made,
        table=made.table.model_copy(update=words),
        conditions=made.conditions.model_copy(update={"watermark": "=1+2 no result"}),
        notes=("=note()", *made.notes),
    )


@pytest.mark.slow
def test_no_cell_of_a_report_is_a_formula(
    report: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("msaf_bench.report.render._drawn", lambda view, strip: [])
    render(view_of(report), tmp_path)
    files = list(tmp_path.rglob("*.csv"))
    assert len(files) >= 2 + (report.table.name == "whole")
    seen = ""
    for path in files:
        with path.open(newline="") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
        seen += "\n".join(cells)
        for cell in cells:
            started = cell.lstrip().startswith(
                ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}")
            ) or cell.startswith(("\t", "\r"))
            assert not started or cell == "-" or NUMBER.fullmatch(cell), (path.name, cell)
    for words in ("'=1+2 no result", "'=note()", "'@SUM(A1)"):
        assert words in seen
