"""History of a table: comparable runs, each compared with the previous one.

Runs are comparable under the same conditions, on the same data and with the same seeds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from msaf_bench.findings.compare import Change, Compared, changes
from msaf_bench.findings.digits import millions, number
from msaf_bench.report.index.documents import ListedPercentile, ListedRow
from msaf_bench.report.index.runs import ListedRun
from msaf_bench.stats import Interval

#: states of a change that are marked
MARKED = ("better", "worse", "new failure", "fixed")


@dataclass(frozen=True)
class Step:
    """A row in one run of the history."""

    run: ListedRun
    row: ListedRow | None
    change: Change | None  #: change to the previous run; None for the first

    @property
    def interval(self) -> Interval | None:
        """Mean mIoU in percent over seeds."""
        return self.row.miou.interval if self.row and self.row.miou else None

    @property
    def marked(self) -> bool:
        """Whether the row is better or worse, newly fails, or is fixed."""
        return self.change is not None and self.change.state in MARKED


@dataclass(frozen=True)
class RowHistory:
    """A row over all runs, oldest first."""

    label: str
    steps: tuple[Step, ...]

    @property
    def newest(self) -> Step:
        """Step of the newest run."""
        return self.steps[-1]

    @property
    def params(self) -> str:
        """Parameters in millions, with the previous number if it differs."""
        return self._was([millions(row.params) if row else "" for row in self._last])

    @property
    def macs(self) -> str:
        """GMAC in stream mode, with the previous number if it differs."""
        known = [row.macs_stream if row else None for row in self._last]
        return self._was(["" if macs is None else number(macs / 1e9, 3) for macs in known])

    @property
    def latency(self) -> str:
        """Median latency in stream mode in ms, with the previous one if they differ clearly.

        They differ clearly if their intervals do not overlap. Times of different machines are not
        compared.
        """
        times = [row.latency_ms.get("stream") if row else None for row in self._last]
        texts = [number(time.value) if time else "" for time in times]
        if len(times) < 2 or not _apart(times[0], times[1]):
            return texts[-1]
        names = [{host.name for host in step.run.hosts} for step in self.steps[-2:]]
        if names[0] != names[1]:
            return f"{texts[1]} (another machine)"
        before, now = (time.value or 0 for time in times if time)
        return f"{texts[1]} ({'slower' if now > before else 'faster'}, was {texts[0]})"

    @property
    def _last(self) -> list[ListedRow | None]:
        return [step.row for step in self.steps[-2:]]

    def _was(self, texts: Sequence[str]) -> str:
        before, now = texts[0], texts[-1]
        return f"{now} (was {before})" if before not in ("", now) else now


@dataclass(frozen=True)
class History:
    """All comparable runs of one table, oldest first."""

    runs: tuple[ListedRun, ...]
    rows: tuple[RowHistory, ...]

    @property
    def marked(self) -> int:
        """Number of marked rows of the newest run."""
        return sum(row.newest.marked for row in self.rows)


def histories(runs: Iterable[ListedRun]) -> list[History]:
    """Return a history for each table with more than one comparable run.

    Runs with the same commits and end time are copies, and count once.
    """
    alike: dict[tuple[object, ...], dict[tuple[object, ...], ListedRun]] = {}
    for run in runs:
        if run.plan and run.document and any(row.miou_by_seed for row in run.document.rows):
            document, plan = run.document, run.plan
            own = tuple(row.conditions for _, row in plan.table.rows)
            kind = (
                plan.table.name, plan.conditions.key, own, document.seeds, document.data_content
            )  # fmt: skip
            alike.setdefault(kind, {}).setdefault((run.commits, run.time), run)
    return [_history(sorted(each.values(), key=_order)) for each in alike.values() if len(each) > 1]


def _order(run: ListedRun) -> tuple[str, str]:
    return run.time, run.folder


def _history(runs: Sequence[ListedRun]) -> History:
    tables = [_rows(run) for run in runs]
    found: list[dict[str, Change]] = [{}]
    for old, new in pairwise(tables):
        compared = changes(
            {label: _compared(row) for label, row in old.items()},
            {label: _compared(row) for label, row in new.items()},
        )
        found.append({change.label: change for change in compared})
    labels = dict.fromkeys(label for table in reversed(tables) for label in table)
    rows = tuple(
        RowHistory(
            label,
            tuple(
                Step(run, table.get(label), changed.get(label))
                for run, table, changed in zip(runs, tables, found, strict=True)
            ),
        )
        for label in labels
    )
    return History(tuple(runs), rows)


def _rows(run: ListedRun) -> dict[str, ListedRow]:
    """Return the rows with a system by label; rows that are only printed have no history."""
    rows = run.document.rows if run.document else ()
    return {row.label: row for row in rows if row.system_key}


def _compared(row: ListedRow) -> Compared:
    return Compared(row.system_key, row.miou_by_seed, row.state, row.ill)


def _apart(old: ListedPercentile | None, new: ListedPercentile | None) -> bool:
    """Return whether the intervals of two latencies do not overlap."""
    if old is None or new is None:
        return False
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return False
    return new.low > old.high or new.high < old.low
