"""Validation while training in a report: curves over seeds, the highest, and every point."""

import csv
import io
import json

import pytest

from msaf_bench.report.document import to_json
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.render import render
from msaf_bench.report.tables.schema import SCHEMA
from msaf_bench.report.tables.variants import to_markdown

CHANGES = {"steps": 30, "validate_every": 10, "keep": "best"}


@pytest.fixture(scope="module")
def view(make, conditions):
    """Two seeds; seed 0 is best at step 20, seed 1 at the end."""

    def change(records, trials):
        def validated(record):
            seed = record.trial.seed
            curve = ((10, 30.0), (20, 50.0 - 10 * seed), (30, 40.0 + 6 * seed))
            kept = 30 if seed else 20
            return record.model_copy(update={"validation": curve, "kept_step": kept})

        return {name: validated(record) for name, record in records.items()}

    changed = type(conditions).model_validate({**dict(conditions), **CHANGES})
    return view_of(make(seeds=range(2), conditions=changed, change=change))


def test_the_curve_is_over_the_seeds(view):
    found = view.summary.rows[0].measures.validation
    assert [(p.step, p.mean, p.low, p.high) for p in found.points] == [
        (10, 30.0, 30.0, 30.0),
        (20, 45.0, 40.0, 50.0),
        (30, 43.0, 40.0, 46.0),
    ]
    assert [(curve.best_step, curve.kept_step) for curve in found.curves] == [(20, 20), (30, 30)]
    assert (found.highest.mean, found.last.mean) == (48.0, 43.0)


def test_the_page_and_the_markdown_say_it(view):
    page, text = to_html(view, ()), to_markdown(view)
    rows = len(view.summary.measured)
    assert page.count("<polygon") == rows
    assert "step 20: 45.0 (40.0 to 50.0)" in page
    assert "weights of the best step are scored" in page
    assert "weights of the best validation" in view.made_how
    assert f"{rows} of {2 * rows} trainings; at the first validation: 0." in page
    assert text.count("20 to 30") == rows


def test_every_point_is_in_the_csv_the_json_and_the_schema(view, tmp_path):
    paths = {path.name: path for path in render(view, tmp_path)}
    lines = list(csv.DictReader(io.StringIO(paths["table3_validation.csv"].read_text())))
    assert len(lines) == 3 * 2 * len(view.summary.measured)
    assert [(x["step"], x["validation_miou"], x["scored"]) for x in lines[3:6]] == [
        ("10", "30", "0"),
        ("20", "40", "0"),
        ("30", "46", "1"),
    ]
    fields = SCHEMA["TABLE_validation.csv, runs with validation"]
    assert [field.name for field in fields] == list(lines[0])
    row = json.loads(paths["table3.json"].read_text())["rows"][0]
    assert row["validation"]["points"][1] == {"step": 20, "mean": 45.0, "low": 40.0, "high": 50.0}
    assert row["validation"]["by_seed"]["1"]["scored_step"] == 30


def test_without_validation_nothing_is_said_of_it(summary, tmp_path):
    view = view_of(summary)
    assert view.validation is None
    text = to_html(view, ()) + to_markdown(view) + json.dumps(to_json(view)["rows"])
    assert "validation:" not in text.lower()
    assert not any(word in text for word in ("validate", "Validation during", "scored_step"))
    assert not any("validation" in path.name for path in render(view, tmp_path))
