"""Sentences of the paper: `ablations/claims/paper.toml`, and the orderings of its tables."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from msaf_bench.catalog import read_spec, read_table
from msaf_bench.claims import checks
from msaf_bench.claims.paper import COLUMN, Finding, Tables, column_of
from msaf_bench.spec import Ordering, Spec, Table

PAPER = ("table1", "table2", "table3")  #: tables of the paper; all others are ours

Check = Annotated[
    checks.Values
    | checks.Best
    | checks.Ratio
    | checks.Direction
    | checks.Growth
    | checks.Marks
    | checks.Same
    | checks.Sum
    | checks.Fact
    | checks.Parameters,
    Field(discriminator="kind"),
]


class Sentence(Spec):
    """A restated sentence of the paper with its place and its check."""

    id: str
    text: str
    place: str
    check: Check
    note: str = ""  #: caveat shown with the verdict


class Paper(Spec):
    """All sentences of the paper."""

    name: str
    sentences: tuple[Sentence, ...]


def read_sentences() -> tuple[Sentence, ...]:
    """Return the sentences that ship with the package."""
    return read_spec(Paper, "ablations/claims", "claims", "paper").sentences


def read_tables() -> dict[str, Table]:
    """Return the tables of the paper by name."""
    return {name: read_table(name) for name in PAPER}


def check_ordering(ordering: Ordering, table: Table) -> Finding:
    """Check "one row beats another", with its points if given, against the printed mIoU."""
    column, better, worse = column_of(table, "miou"), ordering.better, ordering.worse
    gap = round(column[better] - column[worse], 6)
    right = gap > 0 if ordering.points is None else gap == ordering.points
    says = "more" if ordering.points is None else f"{ordering.points:+.1f}"
    cells = tuple((table.name, row, "miou") for row in (better, worse))
    return Finding(right, says, f"{column[better]:.1f} - {column[worse]:.1f} = {gap:+.1f}", cells)


def daggers(finding: Finding, tables: Tables) -> Iterator[str]:
    """Yield the cells of a finding produced otherwise than their table states, and how."""
    for table, row, metric in dict.fromkeys(finding.cells):
        if how := dict(dict(tables[table].rows)[row].provenance).get(metric):
            yield f"† {row} {COLUMN[metric]}: {how}"
