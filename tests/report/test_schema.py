"""Every column of every CSV of the reference reports is described, and the page says the same."""

import csv
from pathlib import Path

import pytest

from msaf_bench.report.tables.schema import SCHEMA, schema_text
from msaf_bench.spec import METRICS
from msaf_bench.sweep.workspace import Workspace

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "reports" / "reference").glob("*/*.csv"))


def file_of(path: Path, *, variants: bool) -> str:
    for kind in ("per_class", "agreement", "claims"):
        if path.stem.endswith(f"_{kind}"):
            return f"TABLE_{kind}.csv"
    if (path.parent / "points").is_dir():
        return "STUDY.csv, tables with an axis"
    return f"TABLE.csv, {'variants of one system' if variants else 'whole systems'}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_column_is_described_once(path: Path):
    table = Workspace(path.parent).plan().table
    with path.open(newline="") as file:
        heads, *_ = csv.reader(file)
    classes = heads[1 : heads.index("watermark")] if path.stem.endswith("_per_class") else []
    stands_for = {
        "preset": ("clean", "etc2020", "etc2020-thc"),
        "part": [
            named if (named := f"{column} (part)") in heads else column for column, _ in table.ticks
        ],
        "class": [name for name in classes if f"{name}_sd" in classes],
    }
    fields = SCHEMA[file_of(path, variants=bool(table.base))]
    for head in heads:
        found = [field.name for field in fields if field.describes(head, stands_for)]
        assert len(found) == 1, head


def test_every_printed_metric_has_a_column():
    names = [field.name for field in SCHEMA["TABLE.csv, whole systems"]]
    assert {f"published_{metric}" for metric in METRICS} <= set(names)
    assert len(names) == len(set(names))


def test_the_page_is_made_from_the_schema():
    """Written anew by `schema_text()`."""
    assert (ROOT / "docs" / "columns.md").read_text() == schema_text()
