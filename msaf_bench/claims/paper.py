"""Printed numbers of the paper: columns, digits, and findings on their consistency."""

from collections.abc import Mapping
from dataclasses import dataclass

from msaf_bench.spec import Table

#: column heads in the paper
COLUMN = {"miou": "mIoU-V", "miou_test": "mIoU-T", "tc": "TC", "fps": "FPS"}

Tables = Mapping[str, Table]
Place = tuple[str, str, str]  # table, row, metric


@dataclass(frozen=True)
class Finding:
    """Consistency of a sentence with the paper's numbers: text, numbers, and their cells."""

    consistent: bool
    says: str
    found: str
    cells: tuple[Place, ...] = ()


def column_of(table: Table, metric: str) -> dict[str, float]:
    """Return the printed numbers by row label."""
    return {
        label: value
        for label, row in table.rows
        if (value := dict(row.paper).get(metric)) is not None
    }


def printed(metric: str, value: float) -> str:
    """Return a number as the paper prints it: one decimal, and FPS with its own decimals."""
    return f"{value:g}" if metric == "fps" else f"{value:.1f}"
