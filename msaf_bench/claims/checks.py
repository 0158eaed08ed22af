"""Checks of the paper's sentences against the paper's own printed numbers, without records.

Each kind of check is a spec with the fields of `ablations/claims/paper.toml` and a `judge` that
computes the finding.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

from msaf_bench.claims.paper import COLUMN, Finding, Place, Tables, column_of, printed
from msaf_bench.spec import METRICS, Numbers, Spec, Table
from msaf_bench.stats.growth import exponent


class Said(Spec):
    """A number that the text gives for a cell of a table."""

    row: str
    metric: str
    says: float


class Values(Spec):
    """The text repeats cells of a table."""

    kind: Literal["values"]
    table: str
    cells: tuple[Said, ...]

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if every cell equals the text; else name the rows with the number."""
        found, right = list[str](), True
        for cell in self.cells:
            column = column_of(tables[self.table], cell.metric)
            right &= column[cell.row] == cell.says
            elsewhere = (
                []
                if column[cell.row] == cell.says
                else [row for row, value in column.items() if value == cell.says]
            )
            where = (
                f" ({printed(cell.metric, cell.says)} is {' and '.join(elsewhere)})"
                if elsewhere
                else ""
            )
            found.append(f"{cell.row} {printed(cell.metric, column[cell.row])}{where}")
        says = ", ".join(
            f"{cell.row} {COLUMN[cell.metric]} {printed(cell.metric, cell.says)}"
            for cell in self.cells
        )
        return Finding(
            right,
            says,
            ", ".join(found),
            tuple((self.table, cell.row, cell.metric) for cell in self.cells),
        )


class Best(Spec):
    """A model's best row beats all rows of other models, in each group of rows and each column."""

    kind: Literal["best"]
    table: str
    metrics: tuple[str, ...]
    of: str
    within: Literal["table", "block", "backbone"]
    blocks: tuple[str, ...] = ()  #: blocks to check; empty: all
    says: float | None = None  #: the largest number, if the text gives it

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if it holds in every group with rows of both sides.

        The finding names the model's rows below the best other row.
        """
        found, right, cells = list[str](), True, list[Place]()
        for metric in self.metrics:
            column = column_of(tables[self.table], metric)
            for group, (mine, others) in self.groups(tables[self.table], metric).items():
                first, rival = (
                    max(mine, key=column.__getitem__),
                    max(others, key=column.__getitem__),
                )
                ahead = column[first] > column[rival]
                right &= ahead and self.says in (None, column[first])
                shown = {row: f"{row} {printed(metric, column[row])}" for row in (*mine, *others)}
                below = (
                    [shown[row] for row in mine if column[row] <= column[rival]] if ahead else []
                )
                where, order = (
                    f"{COLUMN[metric]} {group}".rstrip(),
                    "above" if ahead else "not above",
                )
                also = f" (below that: {', '.join(below)})" if below else ""
                found.append(f"{where}: {shown[first]} {order} {shown[rival]}{also}")
                cells += _places(self.table, (first, rival), metric)
        says = "the largest" if self.says is None else f"{self.says:.1f}, the largest"
        return Finding(right, says, "; ".join(found), tuple(cells))

    def groups(self, table: Table, metric: str) -> dict[str, tuple[list[str], list[str]]]:
        """Return the model's rows and the other rows with a number, by group.

        Only groups with rows of both sides are included.
        """
        found: dict[str, tuple[list[str], list[str]]] = {}
        for label in column_of(table, metric):
            row = dict(table.rows)[label]
            if not self.blocks or row.block in self.blocks:
                group = {"table": "", "block": row.block, "backbone": row.backbone}[self.within]
                found.setdefault(group, ([], []))[row.model != self.of].append(label)
        return {group: both for group, both in found.items() if all(both)}


class Ratio(Spec):
    """The first row of each pair is `low` to `high` times the second, in whole numbers."""

    kind: Literal["ratio"]
    table: str
    metric: str
    pairs: tuple[tuple[str, str], ...]
    low: int
    high: int

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if every ratio, rounded to an integer, lies between the bounds."""
        column = column_of(tables[self.table], self.metric)
        ratios = {f"{a} / {b}": column[a] / column[b] for a, b in self.pairs}
        right = all(self.low <= round(ratio) <= self.high for ratio in ratios.values())
        found = ", ".join(f"{pair} {ratio:.2f}" for pair, ratio in ratios.items())
        rows = [row for pair in self.pairs for row in pair]
        return Finding(
            right, f"{self.low} to {self.high} times", found, _places(self.table, rows, self.metric)
        )


class Direction(Spec):
    """A column is better when higher, or when lower; one of the model's rows should be best."""

    kind: Literal["direction"]
    table: str
    metric: str
    of: str
    better: Literal["higher", "lower"]

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if the best cell of the column, read so, is one of the model's."""
        column, rows = column_of(tables[self.table], self.metric), dict(tables[self.table].rows)
        low, high = min(column, key=column.__getitem__), max(column, key=column.__getitem__)
        best, worst = (low, high) if self.better == "lower" else (high, low)
        ends = [f"{row} {printed(self.metric, column[row])}" for row in (best, worst)]
        found = f"read this way, {ends[0]} is the best of the column and {ends[1]} the worst"
        right = rows[best].model == self.of
        return Finding(
            right,
            f"{self.better} is better",
            found,
            _places(self.table, (best, worst), self.metric),
        )


class Growth(Spec):
    """The time per frame (1 / FPS) grows with a power of its pixels between two bounds."""

    kind: Literal["growth"]
    table: str
    pixels: Numbers
    low: float
    high: float

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if the power from each size to the next lies between the bounds."""
        column = column_of(tables[self.table], "fps")
        sizes = sorted(self.pixels, key=lambda pair: pair[1])
        pixels, seconds = [round(n) for _, n in sizes], [1 / column[row] for row, _ in sizes]
        powers = [
            exponent(pixels[i : i + 2], seconds[i : i + 2]) or 0.0 for i in range(len(sizes) - 1)
        ]
        steps = ", ".join(
            f"{power:.2f} from {a} to {b}"
            for power, ((a, _), (b, _)) in zip(powers, pairwise(sizes), strict=True)
        )
        right = all(self.low <= power <= self.high for power in powers)
        found = f"time ~ pixels^{exponent(pixels, seconds) or 0.0:.2f} ({steps})"
        return Finding(
            right,
            f"power {self.low:g} to {self.high:g}",
            found,
            _places(self.table, [row for row, _ in sizes], "fps"),
        )


class Marks(Spec):
    """The marked numbers are the best of each column in each block."""

    kind: Literal["marks"]
    table: str

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if exactly the best numbers are marked, in every column."""
        table, found, right = tables[self.table], list[str](), True
        rows = dict(table.rows)
        for metric in (m for m in METRICS if column_of(table, m)):
            column = column_of(table, metric)
            blocks = {rows[label].block for label in column}
            best = {
                max((r for r in column if rows[r].block == block), key=column.__getitem__)
                for block in blocks
            }
            marked = {label for label in column if metric in rows[label].best}
            right &= marked == best
            odd = {"the best, not marked": best - marked, "marked, not the best": marked - best}
            said = [
                f"{what}: "
                + ", ".join(
                    f"{row} {printed(metric, column[row])}" for row in column if row in which
                )
                for what, which in odd.items()
                if which
            ]
            found.append(f"{COLUMN[metric]} " + (", ".join(said) or "marked so"))
        return Finding(right, "the best of each block is marked", "; ".join(found))


class Same(Spec):
    """Cells of several tables that show the same number."""

    kind: Literal["same"]
    cells: tuple[Place, ...]

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if all cells are equal."""
        values = [column_of(tables[table], metric)[row] for table, row, metric in self.cells]
        found = ", ".join(
            f"{tables[table].source} {row} {printed(metric, value)}"
            for (table, row, metric), value in zip(self.cells, values, strict=True)
        )
        return Finding(len(set(values)) == 1, "equal", found, self.cells)


class Sum(Spec):
    """Parts and their total."""

    kind: Literal["sum"]
    parts: tuple[int, ...]
    total: int

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if the parts add up to the total."""
        return Finding(
            sum(self.parts) == self.total,
            f"{self.total:,}",
            f"{' + '.join(map(str, self.parts))} = {sum(self.parts):,}",
        )


class Fact(Spec):
    """A fact known from another source."""

    kind: Literal["fact"]
    says: str
    against: str
    source: str

    def judge(self, tables: Tables) -> Finding:
        """Return consistent if the paper and the source say the same."""
        return Finding(self.says == self.against, self.says, f"{self.against} ({self.source})")


class Parameters(Spec):
    """One row's network has more parameters than another's.

    Only a run can tell, as the paper prints no parameters.
    """

    kind: Literal["parameters"]
    table: str
    more: str
    fewer: str


def _places(table: str, rows: Iterable[str], metric: str) -> tuple[Place, ...]:
    return tuple((table, row, metric) for row in rows)
