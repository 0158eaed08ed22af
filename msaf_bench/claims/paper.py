"""The paper's printed numbers: its columns, their digits, and what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from msaf_bench.spec import Table

#: as the paper heads them
COLUMN = {"miou": "mIoU-V", "miou_test": "mIoU-T", "tc": "TC", "fps": "FPS"}

Tables = Mapping[str, Table]
Place = tuple[str, str, str]  # table, row, metric


@dataclass(frozen=True)
class Finding:
    """Whether the paper agrees with itself: its words, what its numbers say, and the cells that
    this rests on.
    """

    consistent: bool
    says: str
    found: str
    cells: tuple[Place, ...] = ()


def column_of(table: Table, metric: str) -> dict[str, float]:
    """Row label -> printed number, of the rows that have one."""
    return {
        label: value
        for label, row in table.rows
        if (value := dict(row.paper).get(metric)) is not None
    }


def printed(metric: str, value: float) -> str:
    """A number as the paper prints it: one decimal, FPS as many as it has."""
    return f"{value:g}" if metric == "fps" else f"{value:.1f}"
