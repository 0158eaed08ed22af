"""Index of a folder of runs on disk."""

from dataclasses import dataclass
from pathlib import Path

from msaf_bench.errors import UsageError
from msaf_bench.files import write_atomic
from msaf_bench.report.index.history import histories
from msaf_bench.report.index.page import index_html
from msaf_bench.report.index.runs import read_runs


@dataclass(frozen=True)
class Index:
    """A written index."""

    path: Path
    runs: int
    histories: int
    faults: tuple[str, ...]  #: one line per damaged file


def render_index(folder: Path) -> Index:
    """Write `index.html` of all runs below a folder from the JSON of their reports.

    No record is read. Raises `UsageError` if the folder holds no run.
    """
    runs = read_runs(folder)
    if not runs:
        raise UsageError(
            f"{folder} holds no run (no plan.json in it or below); give a folder with runs made by"
            " `msaf-bench ablate`"
        )
    found = histories(runs)
    path = folder / "index.html"
    write_atomic(path, index_html(folder.name, runs, found))
    faults = tuple(fault for run in runs for fault in run.faults)
    return Index(path, len(runs), len(found), faults)
