"""From a folder of runs to its index on disk."""

from dataclasses import dataclass
from pathlib import Path

from msaf_bench.errors import UsageError
from msaf_bench.files import write_atomic
from msaf_bench.report.index.history import histories
from msaf_bench.report.index.page import index_html
from msaf_bench.report.index.runs import read_runs


@dataclass(frozen=True)
class Index:
    """An index that was written."""

    path: Path
    runs: int
    histories: int
    faults: tuple[str, ...]  #: a line for each damaged file


def render_index(folder: Path) -> Index:
    """Write `index.html` of all runs below a folder from the JSON of their reports; no record is
    read. Raises `UsageError` where there is no run.
    """
    runs = read_runs(folder)
    if not runs:
        raise UsageError(
            f"{folder} holds no run (no plan.json in it or below); give a folder that"
            " `msaf-bench ablate` wrote runs to"
        )
    found = histories(runs)
    path = folder / "index.html"
    write_atomic(path, index_html(folder.name, runs, found))
    faults = tuple(fault for run in runs for fault in run.faults)
    return Index(path, len(runs), len(found), faults)
